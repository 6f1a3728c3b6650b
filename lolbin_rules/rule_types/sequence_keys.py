"""Which key tuples a document takes part with in a sequence or sample."""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import product
from typing import Any, Final

from lolbin_rules.alert.source import parse_time, values, write_time
from lolbin_rules.errors import LolbinRulesError
from lolbin_rules.query.eql.plan import Key, SequencePlan
from lolbin_rules.rule_types.sequence_candidates import UNTIL, KeyTuple, KeyValue
from lolbin_rules.store.port import UNMAPPED

__all__ = ["TooManyKeys", "candidate_keys", "key_tuples"]

MOST: Final = 10_000
"""Key tuples of one document."""

_WHOLE: Final = frozenset({"long", "integer", "short", "byte", "unsigned_long"})
_FRACTIONAL: Final = frozenset({"double", "float", "half_float", "scaled_float"})
_DATES: Final = frozenset({"date", "date_nanos"})
_BOOLEANS: Final[Mapping[Any, bool]] = {"true": True, "false": False, "": False}
_NUMERAL: Final = re.compile(r"[+-]?(?:\d{1,400}(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


class TooManyKeys(LolbinRulesError):  # noqa: N818 - says what is the matter
    """A document has so many values in the keys of a sequence that it would take part too often."""

    def __init__(self, keys: Sequence[Key], counts: Sequence[int]) -> None:
        fields = ", ".join(f"{key.field} ({count} values)" for key, count in zip(keys, counts, strict=True))
        super().__init__(
            f"a document would take part in the sequence with {math.prod(counts)} keys: {fields}; it was left out, "
            f"{MOST} are allowed. Join by a field with fewer values, or exclude such documents in the rule"
        )


def candidate_keys(
    plan: SequencePlan, stages: Iterable[int], source: Mapping[str, Any], *, is_until: bool = False
) -> dict[int, tuple[KeyTuple, ...]]:
    """`Candidate.keys` of a document that matches these items, and the `until` of the plan if `is_until`.

    Raises:
        TooManyKeys: see `key_tuples`.
    """
    keys = {index: plan.stages[index].keys for index in stages}
    if is_until and plan.until:
        keys[UNTIL] = plan.until.keys
    known = {each: key_tuples(each, source, plan.key_types) for each in set(keys.values())}
    return {index: known[each] for index, each in keys.items()}


def key_tuples(
    keys: Sequence[Key], source: Mapping[str, Any], types: Sequence[frozenset[str]] = ()
) -> tuple[KeyTuple, ...]:
    """The key tuples that a document takes part with: every combination of the distinct values of its keys.

    Nulls within an array do not count; an empty array, or one of nulls only, is no value. A document without a value
    in a key takes no part, unless the key is optional: then the value is None. So says Elastic's EQL documentation.

    Values are brought to one form per type, so that equal ones are equal however they are written: addresses in their
    shortest form, dates as `2026-11-22T05:16:16.276Z`, numbers as numbers, booleans as booleans, all else as text. What
    a field of its type cannot hold is no value. A date in a format of its own stays as it is written.

    Args:
        keys: what the documents are joined by.
        source: the document.
        types: per key, the types that its position is mapped to; where there are none, JSON's own types decide.

    Raises:
        TooManyKeys: there are more than `MOST` combinations.
    """
    by_key = [
        _distinct(key, source, types[position] if position < len(types) else ()) for position, key in enumerate(keys)
    ]
    counts = [len(each) for each in by_key]
    if math.prod(counts) > MOST:
        raise TooManyKeys(keys, counts)
    return tuple(product(*by_key))


def _distinct(key: Key, source: Mapping[str, Any], types: Collection[str]) -> tuple[KeyValue, ...]:
    written = values(source, key.field) if key.is_mapped else []
    mapped = frozenset(types) - {UNMAPPED}
    found = dict.fromkeys(form for value in written for form in _forms(value, mapped))
    return tuple(found) or ((None,) if key.is_optional else ())


def _forms(value: Any, types: frozenset[str]) -> Iterator[KeyValue]:
    """The value in the form of its types: one, or none where they cannot hold it."""
    if not isinstance(value, str | int | float):
        return
    if not types:
        # Python takes true and 1 for equal; Elasticsearch does not.
        yield _text(value) if isinstance(value, bool) else value
    elif types == {"ip"}:
        yield from _address(value)
    elif types == {"boolean"}:
        yield from _boolean(value)
    elif types <= _WHOLE | _FRACTIONAL:
        yield from _number(value, cuts=types <= _WHOLE)
    elif types <= _DATES:
        moment = parse_time(value)
        yield _text(value) if moment is None else write_time(moment)
    else:
        yield next(_address(value), _text(value)) if "ip" in types else _text(value)


def _address(value: Any) -> Iterator[str]:
    try:
        address = ipaddress.ip_address(str(value).partition("%")[0])
    except ValueError:
        return
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    yield str(mapped or address)


def _boolean(value: Any) -> Iterator[bool]:
    if isinstance(value, bool):
        yield value
    elif isinstance(value, str) and value in _BOOLEANS:
        yield _BOOLEANS[value]


def _number(value: Any, *, cuts: bool) -> Iterator[int | float]:
    """A number that may be written as text; `cuts`: the field keeps whole numbers only."""
    text = str(value)
    if isinstance(value, bool) or not _NUMERAL.fullmatch(text):
        return
    if text.lstrip("+-").isdigit():
        yield int(text)
        return
    number = float(text)
    if math.isfinite(number):
        yield int(number) if cuts or number.is_integer() else number


def _text(value: Any) -> str:
    return ("true" if value else "false") if isinstance(value, bool) else str(value)
