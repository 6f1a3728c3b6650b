"""One JSON value of a document as its field's type has it.

What is taken, what is left out and what makes Elasticsearch refuse a document was asked of a node, type by type.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from lolbin_rules.dsl.addresses import parse_address
from lolbin_rules.dsl.dates import DEFAULT_FORMATS, parse_date, parse_nanos
from lolbin_rules.dsl.field import Field, Value
from lolbin_rules.dsl.numerals import MOST_64_BITS, parse_double, parse_float, parse_half_float, parse_long

__all__ = [
    "READ_TYPES",
    "Malformed",
    "flattened",
    "json_text",
    "longest_unchanged",
    "lowercase",
    "read_value",
    "wholes_unchanged",
]


class Malformed(Exception):  # noqa: N818 - it says what the document is
    """A document that Elasticsearch would refuse (400, document_parsing_exception).

    Attributes:
        field: the full name of the field that is at fault.
        reason: what does not fit.
    """

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f'field "{field}": {reason}')
        self.field = field
        self.reason = reason


def lowercase(text: str) -> str:
    """What the built-in normalizer `lowercase` makes of a text.

    Every character by itself: a final capital sigma becomes a small sigma as any other, and İ becomes i.
    """
    return text.lower() if text.isascii() else text.translate(_BY_THEMSELVES).lower()


_BY_THEMSELVES: Mapping[int, str | int] = {0x130: "i", 0x3A3: 0x3C3}


def json_text(raw: Any) -> str:
    """A JSON value that is no object or array as the text that Elasticsearch takes it for: `true`, `1`, `1.0`."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool):
        return "true" if raw else "false"
    return repr(raw)


def flattened(values: list[Any]) -> Iterator[Any]:
    """What an array and the arrays in it hold, in the order written."""
    stack = [iter(values)]
    while stack:
        for value in stack[-1]:
            if isinstance(value, list):
                stack.append(iter(value))
                break
            yield value
        else:
            stack.pop()


_LONGEST_TERM = 32_766
"""Bytes of UTF-8."""
_MOST_BYTES = 4
"""Of a character; code units of UTF-16 are at most half as many."""
_BITS = {"long": 63, "integer": 31, "short": 15, "byte": 7}
_MOST_INTEGER = 2**31 - 1
_MOST_UNSIGNED = 2**64 - 1


def _units(text: str) -> int:
    """Code units of UTF-16."""
    return len(text) if text.isascii() else len(text) + sum(character > "\uffff" for character in text)


def _keyword(field: Field, raw: Any) -> Value | None:
    text = raw if isinstance(raw, str) else json_text(raw)
    if field.ignore_above is not None and len(text) * 2 > field.ignore_above and _units(text) > field.ignore_above:
        return None
    if field.normalizer is not None:
        text = lowercase(text)
    if (
        len(text) * _MOST_BYTES > _LONGEST_TERM
        and (field.is_indexed or field.has_doc_values)
        and field.type == "keyword"
    ):
        size = len(text.encode("utf-8", "surrogatepass"))
        if size > _LONGEST_TERM:
            # This is not a value that `ignore_malformed` could leave out.
            raise Malformed(field.name, f"a text of {size} bytes is too long for a keyword (at most {_LONGEST_TERM})")
    return text


def _constant(field: Field, raw: Any) -> Value | None:
    text = json_text(raw)
    if field.constant is not None and text != field.constant:
        raise ValueError(f"only the value [{field.constant}] is accepted, but got [{text}]")
    return text


def _text(_: Field, raw: Any) -> Value | None:
    return raw if isinstance(raw, str) else json_text(raw)


def _refuse_if_no_number(field: Field, raw: Any) -> None:
    if raw is True or raw is False or (isinstance(raw, str) and not field.coerce):
        raise ValueError(f"{json_text(raw)} is not a number")


def _whole(field: Field, raw: Any) -> Value | None:
    _refuse_if_no_number(field, raw)
    if isinstance(raw, str):
        number = _whole_of_text(field, raw)
    elif isinstance(raw, float):
        number = _whole_of_fraction(field, raw)
    else:
        number = raw
    most = 2 ** _BITS[field.type] - 1
    if not -most - 1 <= number <= most:
        raise ValueError(f"[{raw}] is out of range for a {field.type}")
    return number


def _whole_of_text(field: Field, text: str) -> int:
    if field.type == "long":
        return parse_long(text)
    number = parse_double(text)
    most = 2**15 - 1 if field.type == "short" else _MOST_INTEGER
    if math.isnan(number):
        return 0
    if not -most - 1 <= number <= most:
        raise ValueError(f"[{text}] is out of range for a {field.type}")
    return int(number)


def _whole_of_fraction(field: Field, number: float) -> int:
    if not field.coerce and number != math.floor(number):
        raise ValueError(f"[{number}] is not a whole number, and the field does not coerce")
    most = MOST_64_BITS if field.type == "long" else _MOST_INTEGER
    if not -float(most + 1) <= number <= float(most):
        raise ValueError(f"[{number}] is out of range for a {field.type}")
    return min(int(number), most)


def _unsigned_long(_: Field, raw: Any) -> Value | None:
    text = json_text(raw)
    number = int(text) if text.removeprefix("+").isdecimal() else -1
    if not 0 <= number <= _MOST_UNSIGNED:
        raise ValueError(f"[{text}] is out of range for an unsigned long")
    return number


def _fraction(field: Field, raw: Any) -> Value | None:
    _refuse_if_no_number(field, raw)
    number = _FRACTIONS[field.type](json_text(raw))
    if field.type == "scaled_float" and field.scaling_factor:
        scaled = number * field.scaling_factor
        if math.isfinite(scaled):
            whole = min(max(math.floor(scaled + 0.5), -MOST_64_BITS - 1), MOST_64_BITS)
            number = whole / field.scaling_factor
    if not math.isfinite(number):
        raise ValueError(f"[{field.type}] supports only finite values, but got [{raw}]")
    return number


_FRACTIONS: Mapping[str, Callable[[str], float]] = {
    "double": parse_double,
    "float": parse_float,
    "half_float": parse_half_float,
    "scaled_float": parse_double,
}


def _boolean(_: Field, raw: Any) -> Value | None:
    if raw is True or raw == "true":
        return 1
    if raw is False or raw in ("false", ""):
        return 0
    raise ValueError(f"[{json_text(raw)}] is neither [true] nor [false]")


def _date(field: Field, raw: Any) -> Value | None:
    return parse_date(json_text(raw), field.formats)


def _date_nanos(field: Field, raw: Any) -> Value | None:
    return parse_nanos(json_text(raw), field.formats)


def _ip(_: Field, raw: Any) -> Value | None:
    return parse_address(json_text(raw))


_Reading: TypeAlias = Callable[[Field, Any], Value | None]

READ_TYPES: Mapping[str, _Reading] = {
    "keyword": _keyword,
    "wildcard": _keyword,
    "constant_keyword": _constant,
    "text": _text,
    "match_only_text": _text,
    **dict.fromkeys(_BITS, _whole),
    "unsigned_long": _unsigned_long,
    **dict.fromkeys(_FRACTIONS, _fraction),
    "boolean": _boolean,
    "date": _date,
    "date_nanos": _date_nanos,
    "ip": _ip,
}
"""The types whose values are read; documents may have fields of other types, and nothing can be asked of those."""

_NUMBERS = frozenset({*_BITS, *_FRACTIONS, "unsigned_long"})


def longest_unchanged(field: Field) -> int:
    """How long a text may be to be the field's value as it is, without a look at it; -1 if none is."""
    if field.type in ("text", "match_only_text"):
        return sys.maxsize
    if field.type not in ("keyword", "wildcard") or field.normalizer is not None:
        return -1
    longest = _LONGEST_TERM if field.ignore_above is None else min(field.ignore_above * 2, _LONGEST_TERM)
    return longest // _MOST_BYTES


def wholes_unchanged(field: Field) -> range:
    """The whole numbers that are the field's value as they are, without a look at them."""
    if field.type in _BITS:
        most = 2 ** _BITS[field.type]
        return range(-most, most)
    # What has four digits at most may be a year.
    return range(10_000, MOST_64_BITS) if field.type == "date" and field.formats == DEFAULT_FORMATS else range(0)


def read_value(field: Field, raw: Any) -> Value | None:
    """The typed value of a JSON value that is no array, or None where there is none.

    There is none for null without `null_value`, for what is longer than `ignore_above`, and for what does not fit where
    the field has `ignore_malformed`.

    Raises:
        Malformed: Elasticsearch would refuse the document.
    """
    if raw is None or (raw == "" and field.type in _NUMBERS and field.coerce):
        value: Value | None = field.null_value
        return value
    if isinstance(raw, dict | list):
        raise Malformed(field.name, f"an object is not a {field.type}")
    try:
        return READ_TYPES[field.type](field, raw)
    except ValueError as error:
        if field.ignore_malformed:
            return None
        raise Malformed(field.name, f"failed to parse field of type [{field.type}]: {error}") from error
