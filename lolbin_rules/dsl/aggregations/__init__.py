"""What is told of many documents at once: the aggregations of Elasticsearch's search, over the columns of segments.

Each kind of aggregation is an `Aggregator` that is shown the rows of one part of an index after the other and then
asked for its answer. Rows come with the bucket that they are in (their owner), so sub-aggregations work on all buckets
of their parent at once. Counts are exact: what a node approximates over several shards is here as if there were one.
"""

from lolbin_rules.dsl.aggregations.part import Part
from lolbin_rules.dsl.aggregations.request import aggregate

__all__ = ["Part", "aggregate"]
