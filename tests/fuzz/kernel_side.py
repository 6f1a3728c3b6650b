"""The side under test: the package's own engine, asked in each of the ways that it answers."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from fuzz.answers import Answer
from fuzz.store_side import StoreSide
from lolbin_rules.dsl.clause import Clause
from lolbin_rules.dsl.column import Column
from lolbin_rules.dsl.evaluate import evaluate
from lolbin_rules.dsl.indexer import Indexer
from lolbin_rules.dsl.mapping import IndexMapping, Malformed
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.parse import parse
from lolbin_rules.dsl.reader import Reader
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.errors import StoreRejected, Unsupported

__all__ = ["Kernel"]

T = TypeVar("T")
_Attempt = Callable[[], Any]


class Kernel:
    """One index of random documents, in memory; with a store, in there as well."""

    def __init__(
        self, mappings: Mapping[str, Any], settings: Mapping[str, Any], store: StoreSide | None = None
    ) -> None:
        self._store = store
        self.mapping = IndexMapping(mappings, settings)
        self._indexer = Indexer(self.mapping)
        self.documents: dict[str, Mapping[str, Any]] = {}
        self._segment: MemorySegment | None = None

    def add(self, documents: Mapping[str, Mapping[str, Any]], *, keep: bool = True) -> dict[str, str]:
        """Add the documents; id -> why it was refused, of those that were."""
        refused: dict[str, str] = {}
        for name, document in documents.items():
            try:
                if keep:
                    self._indexer.add(document)
                    self.documents[name] = document
                else:
                    self._indexer.check(document)
            except Malformed as error:
                refused[name] = f"Malformed: {error}"
            except Exception as error:  # noqa: BLE001 - that something breaks is what is looked for
                refused[name] = f"BROKEN {_place(error)}"
        self._segment = None
        if self._store is not None and keep:
            by_store = self._store.add(documents)
            for name in refused.keys() ^ by_store.keys():
                why = f"BROKEN: the store says {by_store.get(name, 'taken')}, the indexer {refused.get(name, 'taken')}"
                refused[name] = why
        return refused

    def ask(
        self, queries: Sequence[Mapping[str, Any]], now_ms: int, only: frozenset[str] | None = None
    ) -> list[dict[str, Answer]]:
        """For each of the queries: way of asking -> answer.

        With `only`, closures are asked about these documents alone and the store is left out: that is quick.
        """
        clauses: dict[str, Clause] = {}
        answers: list[dict[str, Answer]] = []
        for number, query in enumerate(queries):
            parsed = _attempt(partial(parse, query, self.mapping, now_ms))
            if isinstance(parsed, Answer):
                answers.append({"parse": parsed})
            else:
                answers.append({})
                clauses[str(number)] = parsed
        match = partial(self._match, ids=list(self.documents) if only is None else sorted(only))
        ways = {"closures": _together(match, clauses), "columns": _together(self._evaluate, clauses)}
        if self._store is not None and only is None:
            asked = {name: queries[int(name)] for name in clauses}
            ways["store"] = _together(partial(self._store.ask, now_ms=now_ms), asked)
        for way, executed in ways.items():
            for name, answer in executed.items():
                answers[int(name)][way] = answer
        return answers

    def _match(self, clauses: Mapping[str, Clause], ids: Sequence[str]) -> dict[str, Answer]:
        matcher = Matcher(clauses)
        reader = Reader(self.mapping, matcher.fields)
        hits: dict[str, list[str]] = {name: [] for name in clauses}
        for each in ids:
            for name in matcher.match({**reader.read(self.documents[each]), "_id": (each,)}):
                hits[name].append(each)
        return {name: Answer(hits=frozenset(found)) for name, found in hits.items()}

    def _evaluate(self, clauses: Mapping[str, Clause]) -> dict[str, Answer]:
        ids = list(self.documents)
        if self._segment is None:
            columns = {**self._indexer.columns(), "_id": Column.of((each,) for each in ids)}
            self._segment = MemorySegment(columns, self._indexer.size)
        rows = evaluate(clauses, self._segment)
        return {name: Answer(hits=frozenset(ids[row] for row in rows[name].tolist())) for name in clauses}

    def read(self, each: str, fields: Sequence[str]) -> dict[str, Any]:
        """The typed values of a document, read alone."""
        read = _attempt(lambda: Reader(self.mapping, fields).read(self.documents[each]))
        return {**read} if isinstance(read, Mapping) else {"BROKEN": str(read)}

    def values(self, fields: Sequence[str]) -> dict[str, dict[str, dict[str, frozenset[Any]]]]:
        """What the documents have in some fields: way of reading -> id -> field -> values."""
        reader = Reader(self.mapping, fields)
        by_reader, by_indexer = ({each: {} for each in self.documents} for _ in range(2))  # type: ignore[var-annotated]
        for each, document in self.documents.items():
            by_reader[each] = {name: frozenset(values) for name, values in reader.read(document).items() if values}
        for name, column in self._indexer.columns().items():
            for each, code in zip(self.documents, column.codes.tolist(), strict=True):
                if name in fields and code:
                    by_indexer[each][name] = frozenset(column.dictionary[code])
        return {"reader": by_reader, "columns": by_indexer}


def _together(execute: Callable[[Mapping[str, T]], dict[str, Answer]], asked: Mapping[str, T]) -> dict[str, Answer]:
    """All at once; where that breaks, half of them, to see which one it is."""
    done = _attempt(lambda: execute(asked)) if asked else {}
    if isinstance(done, dict):
        return done
    if len(asked) == 1:
        return dict.fromkeys(asked, done)
    names = list(asked)
    halves = names[: len(names) // 2], names[len(names) // 2 :]
    return {each: answer for half in halves for each, answer in _together(execute, {n: asked[n] for n in half}).items()}


def _attempt(attempt: _Attempt) -> Any:
    """What the attempt returns, or the answer that it could not."""
    try:
        return attempt()
    except Unsupported as error:
        return Answer(unsupported=str(error) or "?")
    except StoreRejected as error:
        return Answer(refused=str(error) or "?")
    except Exception as error:  # noqa: BLE001 - that something breaks is what is looked for
        return Answer(broken=_place(error))


def _place(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} at {last.filename.rpartition('/')[2]}:{last.lineno}"
