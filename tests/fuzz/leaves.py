"""Random clauses that have no clauses inside, by the names of the clauses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.drawing import DATES, KEYWORDS, NUMBERS, Draw, Field
from fuzz.texts import minimum_should_match, query_string, regexp, simple_query_string, wildcard

__all__ = ["LEAVES", "Query"]

Query = dict[str, Any]
_TERMS = KEYWORDS | NUMBERS | {"boolean", "ip", "text"}
_WORDY = KEYWORDS | {"text"}
_OPTIONS_OF_A_QUERY_STRING: tuple[tuple[float, str, tuple[Any, ...]], ...] = (
    (0.3, "default_operator", ("AND", "OR", "and")),
    (0.15, "lenient", (True, True, True, False)),
    (0.1, "analyze_wildcard", (True, True, False)),
    (0.1, "type", ("best_fields", "most_fields", "phrase", "cross_fields")),
    (0.05, "allow_leading_wildcard", (False,)),
    (0.05, "phrase_slop", (1,)),
    (0.05, "time_zone", ("+02:00", "Europe/Berlin")),
    (0.03, "escape", (True,)),
)
"""How often, which, and its values."""


def _named(draw: Draw, body: Query) -> Query:
    """Sometimes with what changes no hits."""
    if draw.chance(0.05):
        body = body | {"boost": draw.one(2, 0.5)}
    if draw.chance(0.05):
        body = body | {"_name": "named"}
    return body


def _term(draw: Draw) -> Query:
    field = draw.field(_TERMS)
    value = draw.network(field) if field.type == "ip" else draw.near(field)
    if field.type == "text":
        value = draw.word(field).lower()
    if draw.chance(0.5):
        return {"term": {field.name: value}}
    return {"term": {field.name: _named(draw, {"value": value})}}


def _term_ignoring_case(draw: Draw) -> Query:
    field = draw.field(_WORDY)
    value = draw.text(field) if field.type == "keyword" else draw.word(field)
    return {
        "term": {
            field.name: {
                "value": draw.one(value.upper(), value.lower(), value.swapcase(), value),
                "case_insensitive": True,
            }
        }
    }


def _term_of_a_date(draw: Draw) -> Query:
    field = draw.field(DATES)
    return {"term": {field.name: draw.date(field)}}


def _term_of_an_address(draw: Draw) -> Query:
    field = draw.field(frozenset({"ip"}))
    return {"term": {field.name: draw.network(field)}}


def _terms(draw: Draw) -> Query:
    field = draw.field()
    makers: dict[str, Callable[[Field], Any]] = {"ip": draw.network, "text": draw.word}
    make = makers.get(field.type, draw.near)
    return {"terms": _named(draw, {field.name: draw.some(lambda: make(field), 1, 2, 3, 5, 20)})}


def _bounds(draw: Draw, make: Callable[[], Any]) -> Query:
    if draw.chance(0.05):
        return {"from": make(), "to": make(), "include_lower": draw.chance(0.5), "include_upper": draw.chance(0.5)}
    body = {draw.one("gt", "gte"): make()} if draw.chance(0.75) else {}
    if not body or draw.chance(0.6):
        body[draw.one("lt", "lte")] = make()
    if draw.chance(0.03):
        body[draw.one("gte", "lte")] = None
    return body


def _range(draw: Draw) -> Query:
    field = draw.field(KEYWORDS | NUMBERS | {"ip", "text", "boolean"})
    make = draw.network if field.type == "ip" and draw.chance(0.1) else draw.near
    return {"range": {field.name: _named(draw, _bounds(draw, lambda: make(field)))}}


def _range_of_dates(draw: Draw) -> Query:
    field = draw.field(DATES)
    body = _bounds(draw, lambda: draw.date(field))
    if draw.chance(0.15):
        body["time_zone"] = draw.one(
            "+02:00", "-05:30", "Z", "UTC", "Europe/Berlin", "America/New_York", "+0100", "GMT+1", "CET"
        )
    if draw.chance(0.15):
        body = _with_format(draw, body)
    return {"range": {field.name: body}}


def _with_format(draw: Draw, body: Query) -> Query:
    format_, values = draw.one(
        ("dd/MM/yyyy", ("01/03/2026", "28/02/2026", "1/3/2026", "02/03/2026||/M")),
        ("yyyy-MM-dd", ("2026-03-01", "2026-03-02", "2026-03", "2026-03-01T10:00:00Z")),
        ("epoch_second", (1772359200, "1772359200", "1772323200.5")),
        ("epoch_millis", (1772359200000, "1772359200000", "2026-03-01")),
        ("strict_date", ("2026-03-01", "2026-3-1", "2026-02-28")),
        ("date_time_no_millis", ("2026-03-01T10:00:00Z", "2026-03-01T12:00:00+02:00")),
        ("date_optional_time", ("2026-3-1", "2026-03-01T10", "2026-03-01T10:00:00.000Z")),
        ("yyyy||yyyy-MM", ("2026", "2026-03", "2026-02||+1M")),
        ("yyyyMMddHHmm", ("202603011000", "202602282359", 202603011000)),
        ("dd MMM yyyy", ("01 Mar 2026", "28 Feb 2026", "01 mar 2026")),
        ("yyyy-MM-dd'T'HH:mm:ss.SSSXXX", ("2026-03-01T10:00:00.000+00:00", "2026-03-01T10:00:00.000Z")),
        ("uuuu-MM-dd HH:mm:ss.SSS", ("2026-03-01 10:00:00.000", "2026-03-01 10:00:00")),
        ("hour_minute", ("10:00",)),
    )
    bounds = {key: draw.one(*values) for key in body if key in {"gt", "gte", "lt", "lte", "from", "to"}}
    return body | bounds | {"format": format_}


def _exists(draw: Draw) -> Query:
    name = draw.field().name
    outer, dot, inner = name.rpartition(".")
    names = [
        name,
        name,
        name,
        draw.one(*draw.objects),
        f"{outer}.*" if dot else f"{inner[:2]}*",
        f"*{inner[-3:]}",
        "*.name",
        "_id",
        "nosuch",
        "off",
    ]
    return {"exists": _named(draw, {"field": draw.one(*names)})}


def _pattern(draw: Draw, make: Callable[[Field], str], clause: str, key: str) -> Query:
    # Other types refuse patterns; that is asked for now and then.
    field = draw.field() if draw.chance(0.03) else draw.field(_WORDY)
    value = make(field)
    if draw.chance(0.3):
        return {clause: {field.name: value}}
    body: Query = {key: value}
    if draw.chance(0.4):
        body["case_insensitive"] = draw.chance(0.9)
        if draw.chance(0.5):
            body[key] = draw.one(value.upper(), value.lower(), value.swapcase())
    return {clause: {field.name: _named(draw, body)}}


def _subject(draw: Draw, field: Field) -> str:
    return draw.word(field) if field.type == "text" else draw.text(field)


def _wildcard(draw: Draw) -> Query:
    key = draw.one("value", "value", "wildcard")
    return _pattern(draw, lambda field: wildcard(draw, _subject(draw, field)), "wildcard", key)


def _prefix(draw: Draw) -> Query:
    def start(field: Field) -> str:
        text = _subject(draw, field)
        return text[: draw.random.randrange(len(text) + 2)]

    return _pattern(draw, start, "prefix", "value")


def _regexp(draw: Draw) -> Query:
    query = _pattern(draw, lambda field: regexp(draw, _subject(draw, field), _subject(draw, field)), "regexp", "value")
    (body,) = query["regexp"].values()
    if isinstance(body, dict) and draw.chance(0.2):
        body["flags"] = draw.one(
            "ALL", "NONE", "", "INTERSECTION", "COMPLEMENT|INTERVAL", "ANYSTRING|EMPTY", "INTERSECTION|COMPLEMENT|EMPTY"
        )
    return query


def _matched(draw: Draw, field: Field) -> Any:
    """What a match clause is asked for."""
    if field.type == "text":
        return draw.phrase(field)
    return draw.network(field) if field.type == "ip" else draw.near(field)


def _match(draw: Draw) -> Query:
    field = draw.field(frozenset({"text"})) if draw.chance(0.6) else draw.field()
    asked = _matched(draw, field)
    if draw.chance(0.4):
        return {"match": {field.name: asked}}
    body: Query = {"query": asked}
    if draw.chance(0.4):
        body["operator"] = draw.one("and", "or", "AND", "OR")
    if draw.chance(0.3):
        body["minimum_should_match"] = minimum_should_match(draw, 3)
    if draw.chance(0.15):
        body["lenient"] = True
    if draw.chance(0.15):
        body["zero_terms_query"] = draw.one("all", "none")
    if draw.chance(0.03):
        body["analyzer"] = "standard"
    return {"match": {field.name: _named(draw, body)}}


def _match_phrase(draw: Draw) -> Query:
    field = draw.field(frozenset({"text"})) if draw.chance(0.8) else draw.field()
    asked = _matched(draw, field)
    if draw.chance(0.4):
        return {"match_phrase": {field.name: asked}}
    body: Query = {"query": asked}
    if draw.chance(0.7):
        body["slop"] = draw.one(0, 1, 2, 3, 5)
    if draw.chance(0.1):
        body["zero_terms_query"] = draw.one("all", "none")
    return {"match_phrase": {field.name: body}}


def _prefixed(draw: Draw, field: Field) -> str:
    phrase = draw.phrase(field)
    return phrase[: draw.random.randrange(len(phrase) + 1) or len(phrase)]


def _match_phrase_prefix(draw: Draw) -> Query:
    field = draw.field(frozenset({"text"})) if draw.chance(0.9) else draw.field(_WORDY)
    asked = _prefixed(draw, field)
    if draw.chance(0.5):
        return {"match_phrase_prefix": {field.name: asked}}
    return {"match_phrase_prefix": {field.name: {"query": asked, "slop": draw.one(0, 1, 2)}}}


def _match_bool_prefix(draw: Draw) -> Query:
    field = draw.field(frozenset({"text"})) if draw.chance(0.9) else draw.field(_WORDY)
    asked = _prefixed(draw, field)
    if draw.chance(0.5):
        return {"match_bool_prefix": {field.name: asked}}
    return {"match_bool_prefix": {field.name: {"query": asked, "operator": draw.one("and", "or")}}}


def _names(draw: Draw, *, wordy: bool) -> list[str]:
    types = _WORDY if wordy else frozenset({"text"})
    names = [draw.field(types).name for _ in range(draw.one(1, 2, 2, 3))]
    if draw.chance(0.15):
        names.append(draw.one("process.*", "*.name", "event.*", "*.ip", "mess*", "nosuch", "*.text"))
    return [f"{name}^2" if draw.chance(0.05) else name for name in names]


def _multi_match(draw: Draw) -> Query:
    kind = draw.one("", "", "best_fields", "most_fields", "phrase", "phrase_prefix", "cross_fields", "bool_prefix")
    names = _names(draw, wordy=kind not in {"phrase_prefix", "bool_prefix"} or draw.chance(0.2))
    named = next((field for field in draw.fields if field.name == names[0].partition("^")[0]), draw.field(_WORDY))
    body: Query = {"query": draw.phrase(named) if draw.chance(0.7) else draw.text(named), "fields": names}
    if kind:
        body["type"] = kind
    if draw.chance(0.2):
        body["operator"] = draw.one("and", "or")
    if draw.chance(0.2):
        body["lenient"] = True
    if draw.chance(0.1) and "phrase" not in kind:
        body["minimum_should_match"] = minimum_should_match(draw, 2)
    if draw.chance(0.1):
        body["tie_breaker"] = 0.3
    if draw.chance(0.1) and kind == "phrase":
        body["slop"] = 2
    return {"multi_match": body}


def _query_string(draw: Draw) -> Query:
    names = [name.partition("^")[0] for name in _names(draw, wordy=True)] if draw.chance(0.4) else []
    body: Query = {"query": query_string(draw, names)}
    if names:
        body |= {"fields": names} if len(names) > 1 or draw.chance(0.5) else {"default_field": names[0]}
    for share, option, values in _OPTIONS_OF_A_QUERY_STRING:
        if draw.chance(share):
            body[option] = draw.one(*values)
    if draw.chance(0.1):
        body["minimum_should_match"] = minimum_should_match(draw, 2)
    return {"query_string": _named(draw, body)}


def _simple_query_string(draw: Draw) -> Query:
    names = [name.partition("^")[0] for name in _names(draw, wordy=True)]
    field = next((each for each in draw.fields if each.name == names[0]), draw.field(_WORDY))
    body: Query = {"query": simple_query_string(draw, field)}
    if draw.chance(0.9):
        body["fields"] = names
    if draw.chance(0.4):
        body["default_operator"] = draw.one("and", "or")
    if draw.chance(0.1):
        body["minimum_should_match"] = minimum_should_match(draw, 2)
    if draw.chance(0.1):
        body["flags"] = draw.one("ALL", "NONE", "AND|OR|NOT", "PHRASE|PREFIX")
    if draw.chance(0.1):
        body["lenient"] = True
    return {"simple_query_string": body}


def _ids(draw: Draw) -> Query:
    return {"ids": {"values": draw.some(lambda: draw.one(draw.one(*draw.ids), "nosuch"), 1, 2, 5)}}


LEAVES: dict[str, tuple[float, Callable[[Draw], Query]]] = {
    "term": (8, _term),
    "term, case_insensitive": (4, _term_ignoring_case),
    "term on a date": (4, _term_of_a_date),
    "term on an address": (4, _term_of_an_address),
    "terms": (5, _terms),
    "range": (8, _range),
    "range of dates": (8, _range_of_dates),
    "exists": (2, _exists),
    "wildcard": (7, _wildcard),
    "prefix": (4, _prefix),
    "regexp": (8, _regexp),
    "match": (6, _match),
    "match_phrase": (4, _match_phrase),
    "match_phrase_prefix": (2, _match_phrase_prefix),
    "match_bool_prefix": (1, _match_bool_prefix),
    "multi_match": (5, _multi_match),
    "query_string": (12, _query_string),
    "simple_query_string": (2, _simple_query_string),
    "ids": (1, _ids),
}
"""Clause -> its weight, and how to make one."""
