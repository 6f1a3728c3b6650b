"""Rules of type `machine_learning`: every anomaly of some jobs with a high enough score is one match.

Elasticsearch's machine learning keeps what it found in indices of its own, one document for each result. Anomalies of
single fields are the results of type `record`; those that are interim may still change or vanish. Their time is the
beginning of the job's bucket, in the field `timestamp`; they are written when the bucket is over, so the lookback of
such a rule has to exceed the longest bucket of its jobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lolbin_rules.query.compiled import Compiled
from lolbin_rules.query.match import NUMBERS, STRINGS, misfits_of
from lolbin_rules.query.rule_query import Given, fields_of_rule, with_conditions
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types.protocol import Evaluator
from lolbin_rules.store.port import UNMAPPED

__all__ = ["MachineLearningRule"]

JOB: Final = "job_id"
KIND: Final = "result_type"
SCORE: Final = "record_score"
IS_INTERIM: Final = "is_interim"
FITTING: Final[Mapping[str, tuple[frozenset[str], str]]] = {
    JOB: (STRINGS, "keyword"),
    KIND: (STRINGS, "keyword"),
    SCORE: (NUMBERS, "a number"),
    IS_INTERIM: (frozenset({"boolean"}), "a boolean"),
}
"""Field of an anomaly -> the types that it can be asked of, and these in words."""


class MachineLearningRule:
    """A rule that looks at the results of machine learning jobs."""

    def fields(self, rule: Rule, given: Given) -> frozenset[str]:
        """See `RuleType.fields`."""
        return fields_of_rule(rule, given).union(FITTING)

    def compile(self, rule: Rule, given: Given) -> Compiled:
        """See `RuleType.compile`."""
        mapped = given.types.types
        anomalies = [
            {"terms": {JOB: list(rule.machine_learning_job_id)}},
            {"term": {KIND: {"value": "record"}}},
            {"term": {IS_INTERIM: {"value": False}}},
            {"range": {SCORE: {"gte": rule.anomaly_threshold}}},
        ]
        misfits = [
            misfit
            for name, (types, needed) in FITTING.items()
            for misfit in misfits_of(name, mapped.get(name, {}), types, needed)
        ]
        unknown = tuple(sorted(name for name in FITTING if set(mapped.get(name, ())) == {UNMAPPED}))
        found = Compiled({"bool": {"filter": anomalies}}, misfits=tuple(sorted(misfits)), unknown=unknown)
        return with_conditions(found, rule, given)

    def evaluator(self, rule: Rule, compiled: Compiled) -> Evaluator | None:  # noqa: ARG002 - other types tell rules apart
        """See `RuleType.evaluator`."""
        return None
