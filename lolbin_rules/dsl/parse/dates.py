"""Dates in queries: moments, whole days or months, and reckonings from `now`, as ranges of typed values.

A number makes both ends of its range milliseconds since 1970, unless the query names a format; a date as text beside it
is refused then. An end that is included reaches to the last millisecond of what it names.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from lolbin_rules.dsl.dates import date_math, parse_nanos, parse_zone
from lolbin_rules.dsl.field import Field
from lolbin_rules.dsl.parse.arguments import query_text
from lolbin_rules.dsl.parse.faults import rejected
from lolbin_rules.dsl.predicates import Between
from lolbin_rules.errors import StoreRejected

__all__ = ["Calendar", "Limit", "day_or_moment", "read_zone"]

_MOST_LONG = 2**63 - 1
_NANOS = 1_000_000
"""Nanoseconds in a millisecond, in which a `date` is counted and a `date_nanos` is not."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One end of a range as it was written; None as value: there is no such end."""

    value: Any = None
    is_included: bool = True


@dataclass(frozen=True, slots=True)
class Calendar:
    """How dates of one range are read.

    Attributes:
        now_ms: what `now` is, in milliseconds since 1970.
        formats: in place of the field's; none: those of the field.
        zone: of dates that name none; None means UTC.
    """

    now_ms: int
    formats: Sequence[str] = ()
    zone: tzinfo | None = None

    def between(self, clause: str, field: Field, low: Limit, high: Limit) -> Between:
        """What the two limits mean for the field.

        Raises:
            StoreRejected: a limit is no date in one of the formats.
        """
        is_number = any(map(_is_number, (low.value, high.value)))
        formats = self.formats or (("epoch_millis",) if is_number else field.formats)
        start, end = -math.inf, math.inf
        if low.value is not None:
            moment = self._moment(clause, field, low.value, formats, round_up=not low.is_included)
            start = moment if low.is_included else moment + 1
        if high.value is not None:
            moment = self._moment(clause, field, high.value, formats, round_up=high.is_included)
            end = moment if high.is_included else moment - 1
        return Between(start, end)

    def _moment(self, clause: str, field: Field, value: Any, formats: Sequence[str], *, round_up: bool) -> int:
        read = self._nanos if field.type == "date_nanos" else self._millis
        try:
            return read(query_text(value), formats, round_up=round_up)
        except ValueError as error:
            read_as = "||".join(formats)
            raise rejected(clause, f"[{field.name}] has the format [{read_as}]: {error}", "Write it so.") from None
        except StoreRejected as error:  # the format itself is refused, or not known here
            raise type(error)(f"{clause}: {error}") from None

    def _millis(self, text: str, formats: Sequence[str], *, round_up: bool) -> int:
        return date_math(text, formats, now_ms=self.now_ms, zone=self.zone, round_up=round_up)

    def _nanos(self, text: str, formats: Sequence[str], *, round_up: bool) -> int:
        """What is reckoned is rounded to milliseconds; without rounding, a date keeps what is smaller."""
        date, bars, reckoning = text.partition("||")
        if not bars and not text.startswith("now"):
            return parse_nanos(text, formats, zone=self.zone, round_up=round_up)
        nanos = self._millis(text, formats, round_up=round_up) * _NANOS
        if bars and "/" not in reckoning:
            nanos += parse_nanos(date, formats, zone=self.zone) % _NANOS
        if not 0 <= nanos <= _MOST_LONG:
            raise ValueError(f"the date [{text}] is not from 1970 to 2262, and has no place among nanoseconds")
        return nanos


def day_or_moment(clause: str, field: Field, value: Any, now_ms: int) -> Between:
    """What a term means: from the beginning to the end of the day (hour, second ...) that it names."""
    return Calendar(now_ms).between(clause, field, Limit(value), Limit(value))


def read_zone(clause: str, name: str) -> tzinfo:
    """The time zone of that name or offset."""
    try:
        return parse_zone(name)
    except (ValueError, KeyError):
        raise rejected(clause, f"[time_zone] is {name!r}, which is no time zone", "Name one as +01:00.") from None


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return True
    return isinstance(value, int) and not isinstance(value, bool) and -_MOST_LONG - 1 <= value <= _MOST_LONG
