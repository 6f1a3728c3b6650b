"""Aggregations that Elasticsearch has and the embedded store has not: they are refused by name, not as unknown."""

__all__ = ["UNSUPPORTED"]

# fmt: off
UNSUPPORTED = frozenset([
    "adjacency_matrix", "auto_date_histogram", "avg_bucket", "boxplot", "bucket_correlation",
    "bucket_count_ks_test", "bucket_script", "bucket_selector", "bucket_sort", "cartesian_bounds",
    "cartesian_centroid", "categorize_text", "change_point", "children", "cumulative_cardinality",
    "cumulative_sum", "date_range", "derivative", "diversified_sampler", "extended_stats",
    "extended_stats_bucket", "frequent_item_sets", "geo_bounds", "geo_centroid", "geo_distance",
    "geo_line", "geohash_grid", "geohex_grid", "geotile_grid", "global", "inference", "ip_prefix",
    "ip_range", "matrix_stats", "max_bucket", "median_absolute_deviation", "min_bucket", "moving_fn",
    "moving_percentiles", "multi_terms", "nested", "normalize", "parent", "percentile_ranks",
    "percentiles", "percentiles_bucket", "random_sampler", "range", "rare_terms", "rate",
    "reverse_nested", "sampler", "scripted_metric", "serial_diff", "significant_terms",
    "significant_text", "stats_bucket", "string_stats", "sum_bucket", "t_test", "time_series",
    "top_metrics", "variable_width_histogram", "weighted_avg",
])
# fmt: on
