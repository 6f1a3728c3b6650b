"""Events and indicators joined in a store on this machine: cases as data, and any of them against a join by hand."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lolbin_rules.plan.window import Window
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule_types import comparison, threat_index, threat_match
from lolbin_rules.rule_types.indicators import part_under
from lolbin_rules.rule_types.match import MatchPage
from lolbin_rules.rule_types.protocol import Asked
from lolbin_rules.rule_types.threat_match import ThreatMatchRule
from lolbin_rules.store.embedded import EmbeddedStore
from lolbin_rules.store.port import Document, IndexTemplate, Key, Verdict

CASES = yaml.safe_load((Path(__file__).parent / "threat_match_cases.yaml").read_text(encoding="utf-8"))
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NUMBERS = count()
TYPE = ThreatMatchRule()


def now() -> datetime:
    """A moment after all events."""
    return NOON + timedelta(days=1)


@pytest.fixture(scope="module")
def store() -> Iterator[EmbeddedStore]:
    """One store for all tests, each of which has indices of its own."""
    with closing(EmbeddedStore(None, clock=now, segment_rows=64)) as opened:
        yield opened


@pytest.fixture(params=["loaded", "asked for"])
def either_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read all indicators at once, or ask for some with each small page of events, a few values at a time."""
    if request.param == "asked for":
        ask_in_small_pieces(monkeypatch)
    return str(request.param)


def ask_in_small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """No number of indicators is few, and nothing is remembered for long."""
    monkeypatch.setattr(threat_index, "FEW", -1)
    monkeypatch.setattr(threat_index, "MOST_VALUES", 2)
    monkeypatch.setattr(threat_index, "MOST_REMEMBERED", 3)
    monkeypatch.setattr(threat_index, "PAGE", 3)
    monkeypatch.setattr(threat_match, "PAGE", 2)


@dataclass(frozen=True)
class Side:
    """Some documents in an index of their own."""

    store: EmbeddedStore
    index: str

    @classmethod
    def of(cls, store: EmbeddedStore, types: Mapping[str, Any], sources: Sequence[Mapping[str, Any]]) -> Side:
        """Documents a minute apart from noon on, under the ids "0", "1" and so on."""
        index = f"side-{next(NUMBERS)}"
        mapped = {name: kind if isinstance(kind, Mapping) else {"type": kind} for name, kind in types.items()}
        body = {"mappings": {"properties": {"@timestamp": {"type": "date"}, **mapped}}}
        store.prepare([IndexTemplate(index, (index,), 1, body)])
        outcomes = store.create(
            [
                Document(
                    Key(index, str(number)), {"@timestamp": (NOON + timedelta(minutes=number)).isoformat(), **each}
                )
                for number, each in enumerate(sources)
            ]
        )
        assert {outcome.verdict for outcome in outcomes} <= {Verdict.CREATED}, outcomes
        return cls(store, index)


def rule_of(events: Side, indicators: Side, mapping: Sequence[Sequence[Sequence[str]]], **more: Any) -> Rule:
    """A rule that joins the two; a comparison is [field, field of the indicator], and `not` where it is negated."""
    written = [
        {"entries": [{"field": one[0], "value": one[1], "negate": "not" in one[2:]} for one in item]}
        for item in mapping
    ]
    base = {
        "id": "joined",
        "name": "Joined",
        "description": "Events that match an indicator.",
        "author": "tests",
        "license": "Apache-2.0",
        "severity": "low",
        "risk_score": 21,
        "type": "threat_match",
        "query": "*:*",
        "index": [events.index],
        "threat_index": [indicators.index],
        "threat_mapping": written,
    }
    return Rule.model_validate({**base, **more})


def evaluated(store: EmbeddedStore, rule: Rule, window: Window | None = None) -> list[MatchPage]:
    """The pages of the rule over all events, or a window."""
    given = Given({}, (), NO_TYPES, now())
    given = replace(given, types=store.field_types(rule.index, sorted(TYPE.fields(rule, given))))
    compiled = TYPE.compile(rule, given)
    asked = Asked(
        rule=rule,
        given=given,
        query=compiled.fitted(compiled.query),
        compiled=compiled,
        window=window or Window(NOON, NOON + timedelta(hours=20)),
        store=store,
        within=timedelta(seconds=20),
    )
    return list(TYPE.evaluator(rule, compiled)(asked))


def told(pages: Sequence[MatchPage]) -> dict[int, list[list[Any]]]:
    """Event -> [indicator, field, value], as the alerts would tell; nothing was missing."""
    assert not [page.problems for page in pages if page.problems]
    matches = [match for page in pages for match in page.matches]
    assert [match.hit.position for match in matches] == sorted(match.hit.position for match in matches)
    ids = [int(match.hit.key.id) for match in matches]
    assert len(set(ids)) == len(ids)
    return {
        int(match.hit.key.id): [
            [int(each["matched"]["id"]), each["matched"]["field"], each["matched"]["atomic"]]
            for each in match.fields["threat.enrichments"]
        ]
        for match in matches
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_events_match_indicators(case: dict[str, Any], store: EmbeddedStore, either_way: str) -> None:
    """Both ways of reading the indicators tell the same."""
    events = Side.of(store, case["types"], case["events"])
    indicators = Side.of(store, case["types"], case["indicators"])
    more = {key: case[key] for key in ("query", "threat_query", "threat_filters") if key in case}
    rule = rule_of(events, indicators, case["mapping"], **more)
    assert told(evaluated(store, rule)) == case["matches"]


def test_a_value_is_asked_for_once(store: EmbeddedStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """The events of later pages that have it find its indicators remembered."""
    monkeypatch.setattr(threat_index, "FEW", -1)
    monkeypatch.setattr(threat_match, "PAGE", 2)
    events = Side.of(store, {"e": "keyword"}, [{"e": "a"}, {"e": "b"}, {"e": "a"}, {"e": "c"}, {"e": ["a", "b"]}])
    asked: list[list[Any]] = []

    def noted(column: comparison.Column, values: Sequence[Any]) -> Any:
        asked.append(list(values))
        return holding(column, values)

    holding = comparison.Column.holding
    monkeypatch.setattr(comparison.Column, "holding", noted)
    found = evaluated(store, rule_of(events, Side.of(store, {"t": "keyword"}, [{"t": "a"}]), [[["e", "t"]]]))
    assert list(told(found)) == [0, 2, 4]
    assert asked == [["a", "b"], ["c"]]


# What an alert tells


def test_an_enrichment_holds_the_indicator(store: EmbeddedStore, either_way: str) -> None:
    """The part under the rule's path, the feed, and what matched."""
    events = Side.of(store, {"e": "ip"}, [{"e": "10.0.0.1"}])
    source = {"threat": {"feed": {"name": "Feed"}, "indicator": {"ip": "10.0.0.1"}}, "threat.indicator.type": "ipv4"}
    types = {"threat": {"properties": {"indicator": {"properties": {"ip": {"type": "ip"}}}}}}
    indicators = Side.of(store, types, [source])
    (match,) = [
        match
        for page in evaluated(store, rule_of(events, indicators, [[["e", "threat.indicator.ip"]]]))
        for match in page.matches
    ]
    assert match.identity == ()
    assert match.fields == {
        "threat.enrichments": [
            {
                "indicator": {"ip": "10.0.0.1", "type": "ipv4"},
                "feed": {"name": "Feed"},
                "matched": {
                    "atomic": "10.0.0.1",
                    "field": "e",
                    "id": "0",
                    "index": indicators.index,
                    "type": "indicator_match_rule",
                },
            }
        ]
    }


def test_an_alert_tells_of_two_hundred_indicators(store: EmbeddedStore, either_way: str) -> None:
    """The oldest of them, alike or not, with a warning where there are more."""
    events = Side.of(store, {"e": "keyword"}, [{"e": ["a", "b"]}, {"e": "c"}])
    sources = [{"t": "a" if number % 2 else "b"} for number in range(450)] + [{"t": "c"}] * 200
    rule = rule_of(events, Side.of(store, {"t": "keyword"}, sources), [[["e", "t"]]])
    pages = evaluated(store, rule)
    found = told(pages)
    assert [number for number, _, _ in found[0]] == list(range(200))
    assert [number for number, _, _ in found[1]] == list(range(450, 650))
    (warning,) = [warning for page in pages for warning in page.warnings]
    assert warning.startswith(f"{events.index}/0 matches more indicators than the 200")


@pytest.mark.parametrize(
    ("source", "part"),
    [
        ({"a": {"b": {"c": 1}}}, {"c": 1}),
        ({"a.b": {"c": 1}}, {"c": 1}),
        ({"a.b.c": 1, "a": {"b": {"d": 2}}}, {"c": 1, "d": 2}),
        ({"a": {"b.c.d": 1}}, {"c.d": 1}),
        ({"a": [{"b": {"c": 1}}, {"b": {"c": 2, "d": 3}}]}, {"c": 1, "d": 3}),
        ({"a": {"b": "text"}}, {}),
        ({"ab": {"c": 1}, "a": {"bc": 1}}, {}),
    ],
)
def test_the_part_of_a_document_under_a_path(source: dict[str, Any], part: dict[str, Any]) -> None:
    """However the document spells the path."""
    assert part_under(source, "a.b") == part


# What is missing


def test_only_events_of_the_window_match(store: EmbeddedStore, either_way: str) -> None:
    """The window is half-open; indicators are of any time."""
    events = Side.of(store, {"e": "keyword"}, [{"e": "a"}] * 5)
    indicators = Side.of(store, {"t": "keyword"}, [{"t": "x"}] * 4 + [{"t": "a"}])
    window = Window(NOON + timedelta(minutes=1), NOON + timedelta(minutes=3))
    found = evaluated(store, rule_of(events, indicators, [[["e", "t"]]]), window)
    assert list(told(found)) == [1, 2]


def test_without_any_index_of_indicators_nothing_is_believed(store: EmbeddedStore) -> None:
    """There is a problem, so that the time is searched again."""
    events = Side.of(store, {"e": "keyword"}, [{"e": "a"}])
    pages = evaluated(store, rule_of(events, Side(store, "nowhere"), [[["e", "t"]]]))
    assert [match for page in pages for match in page.matches] == []
    (problem,) = [problem for page in pages for problem in page.problems]
    assert problem.startswith("No index matches nowhere: there is no indicator")


def test_a_field_that_cannot_be_compared_is_a_problem(store: EmbeddedStore) -> None:
    """Of the indicators as of the events, with the index and the type; the other indices are compared."""
    events = Side.of(store, {"e": "keyword"}, [{"e": "a"}])
    other = Side.of(store, {"t": "date"}, [{"t": "2026-01-01"}])
    good = Side.of(store, {"t": "keyword"}, [{"t": "a"}])
    rule = rule_of(events, good, [[["e", "t"]]], threat_index=[good.index, other.index])
    pages = evaluated(store, rule)
    assert [match.hit.key.id for page in pages for match in page.matches] == ["0"]
    (problem,) = [problem for page in pages for problem in page.problems]
    assert problem.startswith(f"Field t of the indicators is of type date in index {other.index} where")
    given = Given({}, (), store.field_types([good.index, other.index], ["t", "t.keyword"]), now())
    compiled = TYPE.compile(rule_of(other, good, [[["t", "t"]]]), given)
    assert [(misfit.found, misfit.indices) for misfit in compiled.misfits] == [("date", (other.index,))]


def test_a_field_without_values_in_the_document_is_a_problem(store: EmbeddedStore, either_way: str) -> None:
    """An alias is found in the index, but its values are written under another name."""
    events = Side.of(store, {"e": "keyword", "other": {"type": "alias", "path": "e"}}, [{"e": "a"}])
    rule = rule_of(events, Side.of(store, {"t": "keyword"}, [{"t": "a"}]), [[["other", "t"]]])
    (problem,) = [problem for page in evaluated(store, rule) for problem in page.problems]
    assert problem.startswith(f"Field other has a value in index {events.index} that its documents do not hold")


def test_the_logic_of_a_rule_is_in_its_fingerprint(store: EmbeddedStore) -> None:
    """What events are compared with is as much a part of the rule as its query."""
    events, indicators = Side(store, "events"), Side(store, "indicators")
    given = Given({}, (), NO_TYPES, now())
    rules = [
        rule_of(events, indicators, [[["e", "t"]]]),
        rule_of(events, indicators, [[["e", "u"]]]),
        rule_of(events, indicators, [[["e", "t"], ["f", "u", "not"]]]),
        rule_of(events, indicators, [[["e", "t"]]], threat_query="k: x"),
        rule_of(events, indicators, [[["e", "t"]]], threat_query="k: x", threat_language="lucene"),
        rule_of(events, indicators, [[["e", "t"]]], threat_filters=[{"term": {"k": "x"}}]),
        rule_of(events, Side(store, "others"), [[["e", "t"]]]),
    ]
    prints = [TYPE.compile(rule, given).fingerprint(rule.type, rule.index) for rule in rules]
    assert len(set(prints)) == len(rules)
    assert TYPE.compile(rules[0], given).fingerprint("threat_match", rules[0].index) == prints[0]


# Any events and indicators

TYPES = {
    "e": {
        "properties": {
            "ip": {"type": "ip"},
            "kw": {"type": "keyword"},
            "num": {"type": "long"},
            "yes": {"type": "boolean"},
        }
    },
    "t": {
        "properties": {
            "ip": {"type": "ip"},
            "kw": {"type": "keyword"},
            "num": {"type": "double"},
            "yes": {"type": "boolean"},
        }
    },
}
POOLS: dict[str, list[Any]] = {
    "e.ip": ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "2001:DB8:0:0:0:0:0:1", "10.0.0.2"],
    "t.ip": ["10.0.0.1", "::ffff:a00:1", "2001:db8::1", "2001:DB8:0::1", "10.0.0.3"],
    "e.num": [1, "1", 1.0, 2, "3", -1],
    "t.num": [1, 1.0, "1", 1.5, 2.0, -1],
    "e.yes": [True, "true", False, "false"],
    "t.yes": [True, "true", False, "false"],
    "e.kw": ["a", "A", "1", 1, "10.0.0.1", "2001:db8::1", "true", ""],
    "t.kw": ["a", "b", "1", 2, "10.0.0.1", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "true", ""],
}
FAMILIES = {"ip": "ip", "num": "number", "yes": "boolean", "kw": "text"}
FIELDS = ["ip", "num", "yes", "kw"]


def drawn_documents(side: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Documents with some fields, of one value, several or none, spelled in one of two ways."""
    values = {
        name: st.sampled_from(POOLS[f"{side}.{name}"]) | st.lists(st.sampled_from(POOLS[f"{side}.{name}"]), max_size=3)
        for name in FIELDS
    }
    inner = st.fixed_dictionaries({}, optional=values)
    nested = inner.map(lambda found: {side: found})
    dotted = inner.map(lambda found: {f"{side}.{name}": value for name, value in found.items()})
    return st.lists(nested | dotted, min_size=1, max_size=6)


PAIRS = [
    ("ip", "ip"),
    ("num", "num"),
    ("yes", "yes"),
    ("kw", "kw"),
    ("ip", "kw"),
    ("kw", "ip"),
    ("num", "kw"),
    ("kw", "num"),
]
comparisons = st.tuples(st.sampled_from(PAIRS), st.booleans())
items = st.lists(comparisons, min_size=1, max_size=3).filter(lambda item: not all(negated for _, negated in item))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mapping=st.lists(items, min_size=1, max_size=2),
    events=drawn_documents("e"),
    indicators=drawn_documents("t"),
    is_asked=st.booleans(),
)
def test_any_events_match_as_if_each_were_compared_with_each(
    mapping: list[list[tuple[tuple[str, str], bool]]],
    events: list[dict[str, Any]],
    indicators: list[dict[str, Any]],
    is_asked: bool,  # noqa: FBT001
    store: EmbeddedStore,
) -> None:
    """The join by hand compares every event with every indicator, value by value."""
    left, right = Side.of(store, TYPES, events), Side.of(store, TYPES, indicators)
    written = [
        [[f"e.{one}", f"t.{other}", *(["not"] if negated else [])] for (one, other), negated in item]
        for item in mapping
    ]
    with pytest.MonkeyPatch.context() as patched:
        if is_asked:
            ask_in_small_pieces(patched)
        found = told(evaluated(store, rule_of(left, right, written)))
    expected = {
        number: sorted(pairs) for number, event in enumerate(events) if (pairs := joined(event, indicators, mapping))
    }
    assert {number: sorted({(one, field) for one, field, _ in pairs}) for number, pairs in found.items()} == expected
    store.delete_index([left.index, right.index])


def joined(
    event: dict[str, Any], indicators: list[dict[str, Any]], mapping: list[list[tuple[tuple[str, str], bool]]]
) -> set[tuple[int, str]]:
    """The indicators that an event matches, with the fields that it matches them by."""
    return {
        (number, f"e.{one}")
        for number, indicator in enumerate(indicators)
        for item in mapping
        if all(holds(event, indicator, pair, is_negated=negated) for pair, negated in item)
        for (one, _), negated in item
        if not negated
    }


def holds(event: dict[str, Any], indicator: dict[str, Any], pair: tuple[str, str], *, is_negated: bool) -> bool:
    """Whether one comparison holds of an event and an indicator."""
    kinds = {FAMILIES[name] for name in pair}
    kind = next(iter(kinds - {"text"}), "text")
    theirs = [plain(value, kind) for value in listed(indicator, "t", pair[1])]
    ours = [plain(value, kind) for value in listed(event, "e", pair[0])]
    in_common = any(one is not None and one == other for one in ours for other in theirs)
    return bool(theirs) and not in_common if is_negated else in_common


def listed(document: dict[str, Any], side: str, name: str) -> list[Any]:
    """The values of a field."""
    found = document.get(side, {}).get(name, document.get(f"{side}.{name}", []))
    return found if isinstance(found, list) else [found]


def plain(value: Any, kind: str) -> Any:
    """The value as a field of this kind understands it; None where it does not."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        match kind:
            case "ip":
                address = ipaddress.IPv6Address(text if ":" in text else f"::ffff:{text}")
                return int(address)
            case "number":
                return float(text)
            case "boolean":
                return {"true": True, "false": False}.get(text)
            case _:
                return text
    except ValueError:
        return None
