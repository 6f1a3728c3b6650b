"""Reading the answers of searches: hits, and the shards that failed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from elastic_transport import ApiError

from lolbin_rules.store.elasticsearch import errors
from lolbin_rules.store.port import ShardFailure

__all__ = ["absent_clusters", "all_shards_failed", "is_context_lost", "is_short_of_memory", "shard_failures"]

_LOCAL = "(local)"
_CONTEXT_LOST = "search_context_missing_exception"

_TOO_BUSY = frozenset({"circuit_breaking_exception", "es_rejected_execution_exception"})
_STORE_AT_FAULT = _TOO_BUSY | {"no_shard_available_action_exception", "task_cancelled_exception", _CONTEXT_LOST}
_QUERY_AT_FAULT = frozenset(
    {
        "aggregation_execution_exception",
        "aggregation_initialization_exception",
        "array_index_out_of_bounds_exception",
        "document_parsing_exception",
        "illegal_argument_exception",
        "input_coercion_exception",
        "mapper_exception",
        "mapper_parsing_exception",
        "number_format_exception",
        "parse_exception",
        "parsing_exception",
        "query_shard_exception",
        "script_exception",
        "strict_dynamic_mapping_exception",
        "too_complex_to_determinize_exception",
        "too_many_buckets_exception",
        "too_many_clauses",
        "too_many_nested_clauses",
        "unsupported_operation_exception",
        "x_content_parse_exception",
    }
)


def shard_failures(answer: Mapping[str, Any]) -> tuple[ShardFailure, ...]:
    """Every failure that the answer tells of.

    Elasticsearch tells of one shard only where several of an index failed for the same reason, and some versions of
    none where shards are not assigned: what is missing in the count is then one failure without a place.
    """
    shards = answer.get("_shards", {})
    failures = [_failure(failure) for failure in shards.get("failures", ())]
    silent = shards.get("total", 0) - shards.get("successful", 0)
    if silent > 0 and not failures:
        failures = [_unplaced(f"{silent} of {shards['total']} shards did not answer")]
    return (*failures, *_skipped_clusters(answer))


def absent_clusters(answer: Mapping[str, Any], plain: Mapping[str, Any]) -> tuple[ShardFailure, ...]:
    """The remote clusters that are not in a point in time, judged by an answer within it and one without (`plain`).

    Opening a point in time passes over clusters that cannot be reached and does not say so (8.19.9, 9.0.0).
    """
    opened = _clusters(answer)
    return (
        *_skipped_clusters(plain),
        *(
            _unplaced(f"remote cluster {name} was not there when the point in time was opened")
            for name, cluster in _clusters(plain).items()
            if name not in (*opened, _LOCAL) and cluster.get("_shards", {}).get("total", 0) > 0
        ),
    )


def all_shards_failed(error: ApiError) -> dict[str, Any] | None:
    """The answer that Elasticsearch would have given, had one shard more been there to answer.

    None where that is no help: the request itself was refused, every shard refused the query, or the cluster was too
    busy. Used as `Ask.accept`.
    """
    body = error.body.get("error") if isinstance(error.body, dict) else None
    if not isinstance(body, dict) or body.get("reason") != "all shards failed":
        return None  # `failed_shards` may be there all the same, beside an error such as too many buckets
    failed = body["failed_shards"]
    named = set(errors.kinds(body))
    if named & _TOO_BUSY or all(_failure(failure).is_query_at_fault for failure in failed):
        return None
    shards = {"total": len(failed), "successful": 0, "failed": len(failed), "failures": failed}
    return {"timed_out": False, "_shards": shards, "hits": {"total": {"value": 0}, "hits": []}, "aggregations": {}}


def is_short_of_memory(answer: Mapping[str, Any]) -> bool:
    """True where a shard did not answer because that would have taken too much memory."""
    failures = answer.get("_shards", {}).get("failures", ())
    return any("circuit_breaking_exception" in errors.kinds(failure) for failure in failures)


def is_context_lost(answer: Mapping[str, Any]) -> bool:
    """True where a shard no longer knows the point in time that it was asked about."""
    failures = answer.get("_shards", {}).get("failures", ())
    return any(_CONTEXT_LOST in errors.kinds(failure) for failure in failures)


def _clusters(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    details: Mapping[str, Any] = answer.get("_clusters", {}).get("details", {})
    return details


def _skipped_clusters(answer: Mapping[str, Any]) -> list[ShardFailure]:
    """Remote clusters that were passed over, whose shards the answer does not count."""
    clusters = _clusters(answer)
    skipped = answer.get("_clusters", {}).get("skipped", 0)
    if skipped and not clusters:  # before 8.10
        return [_unplaced(f"{skipped} remote clusters did not answer")]
    return [
        replace(_failure(failure), reason=f"remote cluster {name}: {errors.reason(failure['reason'])}")
        for name, cluster in clusters.items()
        if cluster["status"] in ("skipped", "failed")
        for failure in cluster.get("failures") or [{"reason": "no answer"}]
    ]


def _unplaced(reason: str) -> ShardFailure:
    return ShardFailure("", -1, reason, is_query_at_fault=False)


def _failure(failure: Mapping[str, Any]) -> ShardFailure:
    named = set(errors.kinds(failure))
    index, shard = failure.get("index"), failure.get("shard")
    return ShardFailure(
        index=index or "",
        shard=-1 if shard is None else int(shard),
        reason=errors.reason(failure.get("reason")),
        is_query_at_fault=bool(named & _QUERY_AT_FAULT) and not named & _STORE_AT_FAULT,
    )
