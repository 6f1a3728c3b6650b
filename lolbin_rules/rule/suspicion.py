"""What a rule may say but probably does not mean. Such a rule runs; its author is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from lolbin_rules.rule.model import ExceptionList, Rule
from lolbin_rules.rule.query_suspicion import query_suspicions
from lolbin_rules.rule.refusal import Refusal, quoted, spoken
from lolbin_rules.rule.values import check_network
from lolbin_rules.rule.yaml_nodes import find
from lolbin_rules.rule.yaml_syntax import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lolbin_rules.rule.query_text import QueryText
    from lolbin_rules.rule.references import Definition
    from lolbin_rules.rule.yaml_nodes import Node

__all__ = ["suspicions"]

Suspicion: TypeAlias = tuple[tuple[str | int, ...], Refusal]
RISK_BANDS: Final = {"low": (0, 21), "medium": (22, 47), "high": (48, 73), "critical": (74, 100)}


def suspicions(definition: Definition, root: Node, queries: Sequence[QueryText] = ()) -> Iterator[Problem]:
    """One warning for each thing that looks wrong in what was read from `root`, and in the queries of a rule."""
    found: list[Suspicion] = []
    if isinstance(definition, Rule):
        found = [*_off_its_band(definition), *_never_literal(definition)]
        for query in queries:
            yield from query_suspicions(definition, query)
    elif isinstance(definition, ExceptionList):
        found = [*_of_exceptions(definition)]
    for path, refusal in found:
        yield Problem(find(root, path).place, refusal)


def _of_exceptions(exceptions: ExceptionList) -> Iterator[Suspicion]:
    for number, item in enumerate(exceptions.items):
        for position, entry in enumerate(item.entries):
            path = ("items", number, "entries", position)
            inner = [((*path, "entries", place), each) for place, each in enumerate(entry.entries)]
            for where, each in ((path, entry), *inner):
                for place, value in enumerate(each.value):
                    if each.type in {"match", "match_any"} and isinstance(value, str) and "*" in value:
                        yield (*where, "value", place), _literally(each.type, value, "type: wildcard")


def _off_its_band(rule: Rule) -> Iterator[Suspicion]:
    least, most = RISK_BANDS[rule.severity]
    if least <= rule.risk_score <= most:
        return
    fitting = next(name for name, (low, high) in RISK_BANDS.items() if low <= rule.risk_score <= high)
    yield (
        ("risk_score",),
        Refusal(
            f"risk_score {rule.risk_score} does not fit severity {rule.severity}, which is {least} to {most}",
            f"Use severity {fitting}, or a risk_score from {least} to {most}.",
            consequence="alerts would be sorted one way by the one and another way by the other",
        ),
    )


def _never_literal(rule: Rule) -> Iterator[Suspicion]:
    for section, conditions in (("match", rule.match), ("exclude", rule.exclude)):
        for name, condition in conditions.items():
            for position, value in enumerate(condition.any_of):
                if isinstance(value, str) and (refusal := _pattern(value) or _host_bits(name, value)):
                    yield (section, name, "any_of", position), refusal


def _pattern(value: str) -> Refusal | None:
    if "*" not in value:
        return None
    return _literally("any_of", value, f"{{wildcard: {quoted(value)}}}")


def _literally(kind: str, value: str, instead: str) -> Refusal:
    return Refusal(
        f"{kind} takes {spoken(value)} literally, with its *",
        f"Write {instead} if * stands for any text.",
        consequence="it fits no other value",
    )


def _host_bits(name: str, value: str) -> Refusal | None:
    """Networks are checked where the name of the field says that it holds addresses."""
    if name.rpartition(".")[2] != "ip" or "/" not in value:
        return None
    try:
        check_network(value)
    except Refusal as refusal:
        return Refusal(refusal.what, refusal.remedy, consequence="Elasticsearch refuses it where the field is an ip")
    return None
