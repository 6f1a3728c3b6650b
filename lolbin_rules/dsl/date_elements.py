"""The elements that date formats consist of, and how each reads its part of a text.

They read as the formatters of Java do that Elasticsearch is built on: from left to right, without going back, a number
taking all digits it may. What they read are the fields of a date, which `date_fields` puts together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol, TypeAlias

__all__ = [
    "FAILED",
    "Choice",
    "Element",
    "Fields",
    "Fraction",
    "Literal",
    "Number",
    "Offset",
    "Optional",
    "Region",
    "Words",
    "adjoined",
    "read_all",
]

Fields: TypeAlias = dict[str, int | str]
"""What was read: field -> number; `offset` in seconds, `region` the name of a time zone."""

FAILED: Final = -1
_DIGITS = frozenset("0123456789")


class Element(Protocol):
    """One element of a format."""

    def read(self, text: str, place: int, fields: Fields) -> int:
        """Where the element ends that begins at a place, or FAILED; what it says is added to the fields."""
        ...


@dataclass(frozen=True, slots=True)
class Literal:
    """A text as it is."""

    text: str

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        del fields
        return place + len(self.text) if text.startswith(self.text, place) else FAILED


@dataclass(frozen=True, slots=True)
class Number:
    """A number.

    Attributes:
        field: what it is.
        least: digits that it has at least,
        most: and at most.
        sign: "never"; "minus" (negative numbers have one); or "padded" (as minus, and longer ones have a plus).
        reserved: digits that numbers right behind it take, so that they are left over.
        offset: what is added to the number.
    """

    field: str
    least: int
    most: int
    sign: str = "never"
    reserved: int = 0
    offset: int = 0

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        sign = text[place : place + 1] if text.startswith(("+", "-"), place) else ""
        if sign and (self.sign == "never" or (sign == "+" and self.sign != "padded")):
            return FAILED
        start = end = place + len(sign)
        limit = min(len(text), start + self.most + self.reserved)
        while end < limit and text[end] in _DIGITS:
            end += 1
        if self.reserved:
            end = start + max(min(self.least, end - start), end - start - self.reserved)
        size = end - start
        if size < self.least or (self.sign == "padded" and sign != "-" and (size > self.least) != (sign == "+")):
            return FAILED
        number = int(text[start:end])
        if sign == "-" and not number:
            return FAILED
        return _put(fields, self.field, -number if sign == "-" else number + self.offset, end)


@dataclass(frozen=True, slots=True)
class Fraction:
    """A fraction of a second; behind a point where it says so, and then there need not be one if `least` is 0."""

    least: int
    most: int
    point: str = ""

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        start = place
        if self.point:
            if not text.startswith(self.point, place):
                return FAILED if self.least else place
            start += 1
        end, limit = start, min(len(text), start + self.most)
        while end < limit and text[end] in _DIGITS:
            end += 1
        if end - start < max(self.least, 1):
            return FAILED
        return _put(fields, "nano", int(text[start:end].ljust(9, "0")), end)


@dataclass(frozen=True, slots=True)
class Offset:
    """An offset from UTC.

    Attributes:
        zero: the text for no offset; may be empty.
        colon: between hours, minutes and seconds.
        needs_minutes: hours alone are not enough.
        has_seconds: seconds may follow.
    """

    zero: str
    colon: str = ""
    needs_minutes: bool = True
    has_seconds: bool = False

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        if self.zero and text.startswith(self.zero, place):
            return _put(fields, "offset", 0, place + len(self.zero))
        sign = text[place : place + 1]
        hours = _two_digits(text, place + 1)
        if sign not in ("+", "-") or hours is None:
            return FAILED
        end, total = place + 3, hours * 3600
        minutes = self._part(text, end)
        if minutes is None and self.needs_minutes:
            return FAILED
        if minutes is not None:
            end += len(self.colon) + 2
            total += minutes * 60
        seconds = self._part(text, end) if minutes is not None and self.has_seconds else None
        if seconds is not None:
            end += len(self.colon) + 2
            total += seconds
        return _put(fields, "offset", -total if sign == "-" else total, end)

    def _part(self, text: str, place: int) -> int | None:
        return _two_digits(text, place + len(self.colon)) if text.startswith(self.colon, place) else None


@dataclass(frozen=True, slots=True)
class Region:
    """An offset such as +01:00 or Z, or the name of a time zone."""

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        match = _REGION.match(text, place)
        if match is None:
            return FAILED
        fields["region"] = match[0]
        return match.end()


_OFFSET = r"[+-][0-9]{2}:[0-9]{2}(?::[0-9]{2})?"
_REGION = re.compile(rf"{_OFFSET}|GMT0|(?:UTC|GMT|UT)(?:{_OFFSET})?|[A-Za-z][A-Za-z0-9/._~+-]*")


@dataclass(frozen=True, slots=True)
class Words:
    """A field written as one of some words; the longest that fits."""

    field: str
    words: Mapping[str, int]

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        for word in sorted(self.words, key=len, reverse=True):
            if text.startswith(word, place):
                return _put(fields, self.field, self.words[word], place + len(word))
        return FAILED


@dataclass(frozen=True, slots=True)
class Optional:
    """Elements that are there all together or not at all."""

    elements: tuple[Element, ...]

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        known = dict(fields)
        end = read_all(self.elements, text, place, known)
        if end == FAILED:
            return place
        fields.update(known)
        return end


@dataclass(frozen=True, slots=True)
class Choice:
    """The first of some elements that is there."""

    elements: tuple[Element, ...]

    def read(self, text: str, place: int, fields: Fields) -> int:
        """See `Element.read`."""
        for element in self.elements:
            known = dict(fields)
            end = element.read(text, place, known)
            if end != FAILED:
                fields.update(known)
                return end
        return FAILED


def read_all(elements: Sequence[Element], text: str, place: int, fields: Fields) -> int:
    """Where elements that follow each other end, or FAILED."""
    for element in elements:
        place = element.read(text, place, fields)
        if place == FAILED:
            return FAILED
    return place


def adjoined(elements: Sequence[Element]) -> tuple[Element, ...]:
    """The elements, with every number leaving to those of fixed length right behind it what they need (yyyyMMdd)."""
    done: list[Element] = []
    for element in reversed(elements):
        if isinstance(element, Number) and done:
            done.append(replace(element, reserved=_fixed_width(done[-1])))
        else:
            done.append(element)
    return tuple(reversed(done))


def _fixed_width(element: Element) -> int:
    if isinstance(element, Fraction):
        return element.most if element.least == element.most and not element.point else 0
    if isinstance(element, Number) and element.least == element.most and element.sign == "never":
        return element.most + element.reserved
    return 0


def _two_digits(text: str, place: int) -> int | None:
    digits = text[place : place + 2]
    most = 59
    if len(digits) == 2 and digits[0] in _DIGITS and digits[1] in _DIGITS and int(digits) <= most:  # noqa: PLR2004
        return int(digits)
    return None


def _put(fields: Fields, field: str, number: int, end: int) -> int:
    """Add a field; one that was read before must say the same."""
    return end if fields.setdefault(field, number) == number else FAILED
