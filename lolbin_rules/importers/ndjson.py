"""Events from text: JSON documents, one a line, as shippers write them or as Elasticsearch exports and takes them.

Understood are lines of documents, hits (`{"_index", "_id", "_source"}`), bodies of `_bulk` (an action, then its
document), whole answers of `_search`, and JSON arrays of documents or hits.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

import orjson

from lolbin_rules.alert.source import values
from lolbin_rules.importers.blocks import Damaged, as_utf8, blocks
from lolbin_rules.importers.event import Broken, Event, Found, Read, document_id, one_line, stable_id
from lolbin_rules.importers.index_names import index_of, legal_index
from lolbin_rules.importers.lines import LONGEST_LINE, Batch, batches
from lolbin_rules.importers.wrapped import Action, Wrapped, is_wrapped, read_action, unwrapped

__all__ = ["TextReader"]

LONGEST_WHOLE: Final = 256 << 20
"""Bytes of a value over several lines that is read at once; longer ones are read as far as their lines are values."""
WHOLE: Final = re.compile(rb"\s*(?:\[\s*(?:[{\]].*)?|\{\s*)", re.DOTALL)
"""A first line that begins a value which may go on: `[`, `[{...`, or `{` alone."""
SHORT_ID: Final = 128
"""Characters that are 512 bytes at most, whichever they are."""


class TextReader:
    """Reads one text.

    Args:
        name: what stands before the line number in places.
        identity: what tells this text from all others; part of the ids of lines that bring none.
        index: where all events go; None for where they say themselves.
    """

    def __init__(self, name: str, identity: str, index: str | None) -> None:
        self._name = name
        self._identity = identity
        self._index = index
        self._action: tuple[Action, str] | None = None

    def read(self, head: bytes, stream: io.BufferedIOBase, read: Read) -> Found:
        """Every event, and everything that is none, in order; `head` is what was read of the stream already."""
        numbered = batches(as_utf8(blocks(head, stream, read)))
        try:
            begun = _first_line(numbered)
            lines = chain([begun], numbered)
            opening = begun[1][0] if begun[1] else None
            yield from self._whole(lines) if opening and WHOLE.fullmatch(opening) else self._lines(lines)
        except Damaged as damage:
            yield Broken(self._name, str(damage))
        yield from self._without_document()

    def _lines(self, numbered: Iterator[Batch]) -> Found:
        # The body of this loop runs for every event there is: what is rare is done elsewhere.
        name, index = self._name, self._index
        for begin, lines in numbered:
            for number, line in enumerate(lines, begin):
                raw = line.strip() if line else line
                if not raw:
                    if raw is None:
                        self._action = None
                        yield self._broken(str(number), f"is longer than {LONGEST_LINE >> 20} MB, so it is not read")
                    continue
                try:
                    source = orjson.loads(raw)
                except orjson.JSONDecodeError as error:
                    yield from self._no_json(raw, error, str(number))
                    continue
                if type(source) is not dict or self._action or is_wrapped(source):
                    yield from self._rare(source, raw, str(number))
                    continue
                event = source.get("event")
                found = event.get("id") if type(event) is dict else None
                if type(found) is not str or not 0 < len(found) <= SHORT_ID:
                    found = self._id(source, raw, str(number))
                yield Event(index or index_of(source), found, raw, source, f"{name}:{number}")

    def _whole(self, numbered: Iterator[Batch]) -> Found:
        """A value that may go on over several lines; where it is none after all, its lines are read as lines."""
        collected: list[Batch] = []
        size = 0
        damage: Damaged | None = None
        try:
            while size <= LONGEST_WHOLE and (batch := next(numbered, None)):
                collected.append(batch)
                size += sum(len(line or b"") for line in batch[1])
        except Damaged as found:
            damage = found
        if size <= LONGEST_WHOLE and not damage:
            try:
                value = orjson.loads(b"\n".join(line or b"" for _, lines in collected for line in lines))
            except orjson.JSONDecodeError:
                pass
            else:
                yield from self._one_value(value, str(collected[0][0]))
                return
        yield from self._lines(chain(collected, numbered))
        if damage:
            raise damage

    def _one_value(self, value: Any, number: str) -> Found:
        if isinstance(value, dict) and not is_wrapped(value) and not values(value, "@timestamp"):
            yield self._broken(number, "is one JSON object over several lines, without @timestamp, so it is no event")
        else:
            yield from self._rare(value, orjson.dumps(value), number)

    def _rare(self, value: Any, raw: bytes, number: str) -> Found:
        if self._action and isinstance(value, dict):
            action, _ = self._action
            self._action = None
            if action.kind == "update":
                yield self._broken(number, "is part of a document, for a bulk update, so it is no event")
            else:
                yield self._event(Wrapped(value, action.id, action.index), raw, number)
            return
        yield from self._without_document()
        if (found := read_action(value)) is None:
            yield from self._each(value, raw, number)
        elif found.kind == "delete":
            yield self._broken(number, "is an action of a bulk body that deletes, so there is no event")
        else:
            self._action = found, number

    def _each(self, value: Any, raw: bytes, number: str) -> Found:
        for position, each in enumerate(unwrapped(value), 1):
            if isinstance(each, Wrapped) and each.source is value:
                yield self._event(each, raw, number)
                return
            place = f"{number}[{position}]"
            if isinstance(each, Wrapped):
                yield self._event(each, orjson.dumps(each.source), place)
            else:
                yield self._broken(place if isinstance(value, list | dict) else number, each)

    def _event(self, found: Wrapped, raw: bytes, number: str) -> Event:
        named = legal_index(found.index) if isinstance(found.index, str) else ""
        name = document_id(found.id) or self._id(found.source, raw, number)
        index = self._index or named or index_of(found.source)
        return Event(index, name, raw, found.source, f"{self._name}:{number}")

    def _id(self, source: dict[str, Any], raw: bytes, number: str) -> str:
        named = filter(None, map(document_id, values(source, "event.id")))
        return next(named, None) or stable_id(self._identity, number, raw)

    def _no_json(self, raw: bytes, error: orjson.JSONDecodeError, number: str) -> Found:
        self._action = None
        item = raw.removeprefix(b"[").removesuffix(b"]").rstrip().removesuffix(b",").strip()
        if item == raw:
            yield self._broken(number, f"is no JSON: {one_line(error)}")
        elif item:
            try:
                value = orjson.loads(item)
            except orjson.JSONDecodeError:
                yield self._broken(number, f"is no JSON: {one_line(error)}")
            else:
                yield from self._each(value, item, number)

    def _without_document(self) -> Found:
        if self._action:
            _, number = self._action
            self._action = None
            yield self._broken(number, "is an action of a bulk body without a document")

    def _broken(self, number: str, reason: str) -> Broken:
        return Broken(f"{self._name}:{number}", reason)


def _first_line(numbered: Iterator[Batch]) -> Batch:
    """The batch with the first line that is not blank, from there on; an empty one where there is no such line."""
    for begin, lines in numbered:
        for skipped, line in enumerate(lines):
            if line is None or line.strip():
                return begin + skipped, lines[skipped:]
    return 1, []
