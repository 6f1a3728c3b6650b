"""Rules of type `threshold`: a group with enough events within a slot of time is one match.

Slots lie on a fixed grid of event time: multiples of the threshold's duration, or of the rule's interval, since 1970.
Whichever slots a window touches are evaluated whole, so a group's match is the same however it is come upon. Its count
can only grow: a slot that is not over yet is a match as soon as it has enough, and events that come late are added.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final

from lolbin_rules.alert.source import write_time
from lolbin_rules.plan.window import Window, position
from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.rule_query import Given, fields_of_rule
from lolbin_rules.rule.model import Rule, Threshold
from lolbin_rules.rule_types.buckets import (
    PAGE_SIZE,
    Bucket,
    Grouping,
    Span,
    milliseconds,
    moment_of,
    pages_of_buckets,
)
from lolbin_rules.rule_types.grouped import compile_grouped, text_of
from lolbin_rules.rule_types.match import Match, MatchPage
from lolbin_rules.rule_types.protocol import Asked, Evaluator
from lolbin_rules.store.port import Hit, Key

__all__ = ["ThresholdRule"]

# What alerts of Elastic's detection engine say of a threshold.
TERMS: Final = "kibana.alert.threshold_result.terms"
CARDINALITY: Final = "kibana.alert.threshold_result.cardinality"
COUNT: Final = "kibana.alert.threshold_result.count"
FROM: Final = "kibana.alert.threshold_result.from"
TIMESTAMP: Final = "@timestamp"

MOST_PRECISE: Final = 40_000
"""The most that Elasticsearch's `cardinality` takes as `precision_threshold`."""
SMALL_PAGE: Final = 1000
"""Groups in one request where different values are counted, which takes memory in each of them."""


class ThresholdRule:
    """A rule that counts."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        threshold = _threshold(rule)
        return fields_of_rule(rule, given).union(threshold.field, (each.field for each in threshold.cardinality))

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`."""
        threshold = _threshold(rule)
        different = [[each.field, each.value] for each in threshold.cardinality]
        return compile_grouped(
            rule,
            given,
            ("threshold", _slot_length(rule), list(threshold.field), threshold.value, different),
            by=threshold.field,
            counted=[each.field for each in threshold.cardinality],
        )

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator | None:  # noqa: ARG002 - other types tell rules apart
        """See `RuleType.evaluator`."""
        return _evaluate


def _threshold(rule: Rule) -> Threshold:
    if rule.threshold is None:
        raise AssertionError("a rule of type threshold has one")
    return rule.threshold


def _slot_length(rule: Rule) -> int:
    return milliseconds(_threshold(rule).duration or rule.interval)


def _evaluate(asked: Asked) -> Iterator[MatchPage]:
    threshold, length = _threshold(asked.rule), _slot_length(asked.rule)
    different = {
        str(place): {"cardinality": {"field": each.field, "precision_threshold": MOST_PRECISE}}
        for place, each in enumerate(threshold.cardinality)
    }
    by = Grouping(threshold.field, length, inner=different, size=SMALL_PAGE if different else PAGE_SIZE)
    for page in pages_of_buckets(asked, asked.query, _slots(asked.window, length), by):
        matches = [_match(asked.rule, bucket, length) for bucket in page.buckets if _is_reached(threshold, bucket)]
        yield MatchPage(tuple(matches), page.problems)


def _slots(window: Window, length: int) -> Span:
    """Every slot that overlaps the window, whole."""
    return Span(position(window.start) // length * length, -(-position(window.end) // length) * length)


def _is_reached(threshold: Threshold, bucket: Bucket) -> bool:
    return bucket.count >= threshold.value and all(
        bucket.answers[str(place)]["value"] >= each.value for place, each in enumerate(threshold.cardinality)
    )


def _match(rule: Rule, bucket: Bucket, length: int) -> Match:
    threshold = _threshold(rule)
    terms = [[name, text_of(value)] for name, value in zip(threshold.field, bucket.values, strict=True)]
    different = [
        {"field": each.field, "value": int(bucket.answers[str(place)]["value"])}
        for place, each in enumerate(threshold.cardinality)
    ]
    identity = ("threshold", length, bucket.slot, terms)
    start = moment_of(bucket.slot)
    begins = {} if start is None else {TIMESTAMP: write_time(start)}
    name = hashlib.sha256(json.dumps(identity).encode("ascii")).hexdigest()
    told: dict[str, Any] = {
        TERMS: [{"field": field, "value": text} for field, text in terms],
        CARDINALITY: different,
        COUNT: bucket.count,
    }
    if start is not None:
        told[FROM] = write_time(start)
    return Match(
        hit=Hit(
            Key(",".join(rule.index), name),
            {**begins, **dict(zip(threshold.field, bucket.values, strict=True))},
            bucket.slot,
            frozenset(),
        ),
        identity=identity,
        dated=start,
        fields=told,
        total=bucket.count,
    )
