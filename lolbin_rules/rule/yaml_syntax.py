"""Bytes that are no YAML: where they stop being it, and what to do, in the words of a rule's author."""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Final, NamedTuple

import yaml

from lolbin_rules.rule.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["REST_UNREAD", "Place", "Problem", "decode", "syntax_problem", "within"]

UNPRINTABLE: Final = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
REST_UNREAD: Final = "the rest of the file was not read"


class Place(NamedTuple):
    """Where something stands in a file; line and column count from 1."""

    line: int
    column: int


class Problem(NamedTuple):
    """What is wrong at a place."""

    place: Place
    refusal: Refusal


def decode(data: bytes) -> str | Problem:
    """The text of a file, or why it is none."""
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        place = _end_of(data[: error.start].decode())
        what = f"byte 0x{data[error.start]:02x} is not UTF-8 text"
        return Problem(place, Refusal(what, "Save the file as UTF-8.", consequence="nothing of the file was read"))
    if found := UNPRINTABLE.search(text):
        what = f"the control character U+{ord(found[0]):04X} cannot stand in YAML"
        remedy = r"Remove it, or write it in double quotes as an escape such as \u0007."
        return Problem(
            _end_of(text[: found.start()]), Refusal(what, remedy, consequence="nothing of the file was read")
        )
    return text


def _end_of(text: str) -> Place:
    """The place of the character that would come next."""
    lines = f"{text}.".splitlines()
    return Place(len(lines), len(lines[-1]))


def within(place: Place, text: str) -> Place:
    """The place itself, or the end of the text: the parser puts what it misses there on a line of its own."""
    return min(place, _end_of(text.rstrip()))


def syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """What the parser stumbled over."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(Place(1, 1), Refusal(f"not YAML: {error}", "Correct it.", consequence=REST_UNREAD))
    place = Place(error.problem_mark.line + 1, error.problem_mark.column + 1)
    found = f"{error.context or ''}: {error.problem or ''}"
    if "quoted scalar" in found and "end of" in found and error.context_mark is not None:
        place = Place(error.context_mark.line + 1, error.context_mark.column + 1)
    what, remedy = _explained(found, _character(place, text))
    return Problem(within(place, text), Refusal(what, remedy, consequence=REST_UNREAD))


def _character(place: Place, text: str) -> str:
    lines = text.splitlines()
    line = lines[place.line - 1] if place.line <= len(lines) else ""
    return line[place.column - 1 : place.column]


def _explained(found: str, character: str) -> tuple[str, str]:
    """What was found and what to do, by the parser's words (of libyaml or of PyYAML) for it."""
    for says, what, remedy in EXPLANATIONS:
        if says(found, character):
            return what.format(character=character, found=found.removeprefix(": ")), remedy
    raise AssertionError(found)  # pragma: no cover - the last explanation fits everything


def _words(*words: str) -> Callable[[str, str], bool]:
    return lambda found, _character: any(word in found for word in words)


EXPLANATIONS: Final[tuple[tuple[Callable[[str, str], bool], str, str], ...]] = (
    (
        lambda found, character: character == "\t" and "cannot start any token" in found,
        "a tab indents this line",
        "Indent with spaces.",
    ),
    (
        _words("cannot start any token"),
        'the character "{character}" cannot begin an unquoted text',
        "Quote the text.",
    ),
    (
        _words("scanning an alias", "scanning an anchor"),
        'the character "*" or "&" begins an alias or anchor',
        'Quote a text that begins with it, such as "*.exe".',
    ),
    (
        _words("escape character", "expected hexdecimal", "hexadecimal", "Unicode character escape"),
        "a backslash in double quotes begins no known escape",
        "Write text with backslashes, such as a Windows path, in single quotes.",
    ),
    (
        lambda found, _character: "quoted scalar" in found,
        "the quotation mark opened here is never closed",
        "Close it, or write the text without it.",
    ),
    (
        _words("mapping values are not allowed"),
        "a colon and a blank stand where no key can be",
        'Quote a text that contains ": ", and check the indentation of this line.',
    ),
    (
        _words("flow sequence", "flow mapping", "flow node"),
        "a bracket is not closed, or a comma is missing",
        "Close the list with ] or the mapping with }, and separate entries with commas.",
    ),
    (
        _words("simple key", "expected ':'"),
        "this is neither `key: value` nor part of the text before it",
        "Write `key: value`, or indent the text under its key.",
    ),
    (
        _words("tag"),
        'the character "!" begins a tag that is not known',
        "Quote a text that begins with it.",
    ),
    (
        _words("block mapping", "block collection", "block sequence", "block entries", "document start", "block end"),
        "this line is not aligned with the lines that it belongs to",
        "Indent entries of the same mapping or list alike.",
    ),
    (
        _words("expected node content", "expected the node content"),
        'the character "{character}" cannot begin a value',
        "Quote the text, or remove the character.",
    ),
    (lambda _found, _character: True, "not YAML: {found}", "Correct it here or just before."),
)
