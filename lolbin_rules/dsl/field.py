"""What a mapping says of one field, and the typed values that documents have in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

__all__ = ["Field", "Typed", "Value", "Values"]

Value: TypeAlias = str | int | float
"""One value as its field's type has it.

- keyword, wildcard, constant_keyword: text, after the normalizer; what is longer than `ignore_above` is not there;
- text, match_only_text: the text as written;
- long, integer, short, byte, unsigned_long: int (fractions cut off); double, float, half_float, scaled_float: float;
- boolean: 0 or 1;
- date: milliseconds since 1970; date_nanos: nanoseconds since 1970;
- ip: the 128-bit number of the address, IPv4 as ::ffff:a.b.c.d.
"""

Values: TypeAlias = tuple[Value, ...]
"""All values of one field of one document, in the order written; empty where it has none."""

Typed: TypeAlias = Mapping[str, Values]
"""The typed document: field name -> its values. Fields without values may be left out."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of an index.

    Attributes:
        name: its full name, such as `process.name.text`.
        type: as mapped, such as `keyword`.
        source: the dotted path in the document that its values come from; for a sub-field, its parent's.
        normalizer: the name of its normalizer: None or "lowercase".
        ignore_above: longest text that is kept, in UTF-16 code units, or None.
        formats: date formats in the order tried.
        null_value: the typed value that stands for an explicit null, or None.
        ignore_malformed: a value that does not fit is left out instead of refusing the document.
        coerce: texts and fractions are taken for whole numbers.
        scaling_factor: of a scaled_float.
        is_indexed: False for `index: false`.
        has_doc_values: False for `doc_values: false` (and for text).
        constant: the value of a constant_keyword.
    """

    name: str
    type: str
    source: str
    normalizer: str | None = None
    ignore_above: int | None = None
    formats: tuple[str, ...] = ()
    null_value: Any = None
    ignore_malformed: bool = False
    coerce: bool = True
    scaling_factor: float | None = None
    is_indexed: bool = True
    has_doc_values: bool = True
    constant: str | None = None
