"""Many clauses over one segment: the same rows as clause by clause, row by row."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolbin_rules.dsl import evaluate as module
from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, Nothing, OneOf
from lolbin_rules.dsl.clause import Test as Asked
from lolbin_rules.dsl.clause_graph import Node
from lolbin_rules.dsl.column import Column, Rows
from lolbin_rules.dsl.evaluate import Evaluator, evaluate
from lolbin_rules.dsl.field import Values
from lolbin_rules.dsl.predicates import Between, Caseless, Present, Wildcard
from lolbin_rules.dsl.segment import MemorySegment
from lolbin_rules.dsl.stored_column import pack, unpack

FIELDS = ("a", "b", "c", "unknown")
EVERYTHING = Every()


@dataclass(frozen=True)
class Above:
    """A test that cannot be looked up."""

    least: int

    def holds(self, values: Values) -> bool:
        """Whether one of the values is above."""
        return any(value > self.least for value in values if isinstance(value, int))


asked: Counter[tuple[str, Values]] = Counter()


@dataclass(frozen=True)
class Told:
    """A test that tells what it was asked."""

    name: str

    def holds(self, values: Values) -> bool:
        """Whether the first value is odd."""
        asked[self.name, values] += 1
        return values[0] in range(1, 1000, 2)


def matches(clause: Clause, row: dict[str, Values]) -> bool:
    """What a clause means, plainly."""
    match clause:
        case Leaf(field, test):
            values = row.get(field, ())
            return bool(values) and test.holds(values)
        case Every(clauses):
            return all(matches(each, row) for each in clauses)
        case AtLeast(number, clauses):
            return sum(matches(each, row) for each in clauses) >= number
        case Not(inner):
            return not matches(inner, row)
        case Nothing():
            return False


def segment_of(rows: list[dict[str, Values]]) -> MemorySegment:
    """The rows as columns; a field that no row has is no column."""
    fields = {field for row in rows for field, values in row.items() if values}
    return MemorySegment({field: Column.of(row.get(field, ()) for row in rows) for field in fields}, len(rows))


values = st.lists(st.integers(0, 6), max_size=2).map(tuple)
rows_strategy = st.lists(st.fixed_dictionaries(dict.fromkeys(FIELDS[:3], values)), max_size=40)
leaves = st.builds(
    Leaf,
    st.sampled_from(FIELDS),
    st.one_of(
        st.frozensets(st.integers(0, 8), max_size=3).map(OneOf),
        st.integers(-1, 7).map(Above),
        st.builds(Between, st.sampled_from([-math.inf, 0, 2]), st.sampled_from([1.5, 2, 5, math.inf])),
        st.just(Present()),
    ),
)
clauses_strategy = st.recursive(
    leaves | st.just(Nothing()) | st.just(EVERYTHING),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(tuple).map(Every),
        st.builds(AtLeast, st.integers(1, 3), st.lists(inner, max_size=4).map(tuple)),
        inner.map(Not),
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("is_compact", [False, True])
@pytest.mark.parametrize(
    ("test", "expected"),
    [
        (OneOf(frozenset({"B", "c"})), [1, 3]),
        (Caseless(frozenset({"b", "ü"})), [0, 1, 2]),
        (Wildcard("*b*"), [0, 2]),
        (Present(), [0, 1, 2, 3]),
    ],
)
def test_texts_are_looked_up_as_they_are_tested(test: Asked, expected: list[int], *, is_compact: bool) -> None:
    """With several values and without, in dictionaries of any kind."""
    column = Column.of([("b",), ("B", "x"), ("b", "ü"), ("c",), ()])
    segment = MemorySegment({"f": column.compact() if is_compact else column}, 5)
    assert evaluate({"x": Leaf("f", test)}, segment)["x"].tolist() == expected


@pytest.mark.parametrize("is_compact", [False, True])
def test_wide_and_narrow_numbers_are_found_between(*, is_compact: bool) -> None:
    """Addresses of 128 bits, timestamps of 64, alone and in company."""
    wide = 2**127
    columns = {
        "address": Column.of([(wide,), (wide + 5, 1), (wide + 9,), ()]),
        "time": Column.of([(2**53,), (2**53 + 1,), (), (-5,)]),
    }
    segment = MemorySegment({name: c.compact() if is_compact else c for name, c in columns.items()}, 4)
    found = evaluate(
        {
            "network": Leaf("address", Between(wide + 1, wide + 8)),
            "low": Leaf("address", Between(0, 1)),
            "at": Leaf("time", Between(2**53 + 1, 2**53 + 1)),
            "until": Leaf("time", Between(high=2**53)),
        },
        segment,
    )
    assert {name: rows.tolist() for name, rows in found.items()} == {
        "network": [1], "low": [1], "at": [1], "until": [0, 3]
    }  # fmt: skip


@given(rows_strategy, st.lists(clauses_strategy, min_size=1, max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_columns_say_the_same_as_documents(
    rows: list[dict[str, Values]], clauses: list[Clause], data: st.DataObject
) -> None:
    """Any clauses over any rows, over all of them and within some."""
    segment = segment_of(rows)
    if data.draw(st.booleans()):  # as from a file
        packed = {field: pack(column) for field in FIELDS if (column := segment.column(field))}
        segment = MemorySegment({field: unpack(stored) for field, stored in packed.items() if stored}, len(rows))
    named = {str(number): clause for number, clause in enumerate([*clauses, Every((clauses[0], *clauses[1:2]))])}
    expected = {name: [i for i, row in enumerate(rows) if matches(clause, row)] for name, clause in named.items()}
    found = evaluate(named, segment)
    assert {name: hits.tolist() for name, hits in found.items()} == expected
    within = sorted(data.draw(st.sets(st.integers(0, max(0, len(rows) - 1)), max_size=len(rows))))
    partial = evaluate(named, segment, np.array(within, dtype=np.uint32))
    assert {name: hits.tolist() for name, hits in partial.items()} == {
        name: [row for row in hits if row in within] for name, hits in expected.items()
    }
    assert {hits.dtype for hits in [*found.values(), *partial.values()]} == {np.dtype(np.uint32)}


def test_a_value_is_asked_about_once_for_all_clauses() -> None:
    """However many rows have it and however many clauses ask."""
    asked.clear()
    segment = segment_of([{"a": (number % 3,)} for number in range(100)])
    clauses: dict[str, Clause] = {str(n): Every((Leaf("a", Told("t")), Leaf("a", Above(n)))) for n in range(5)}
    evaluate(clauses, segment)
    assert asked == {("t", (0,)): 1, ("t", (1,)): 1, ("t", (2,)): 1}


def test_a_test_is_not_asked_about_rows_that_another_conjunct_excludes() -> None:
    """Lookups come first, and what they leave is all that is asked."""
    asked.clear()
    segment = segment_of([{"a": (number,), "b": (number % 50,)} for number in range(100)])
    found = evaluate({"x": Every((Leaf("a", Told("t")), Leaf("b", OneOf(frozenset({7})))))}, segment)
    assert found["x"].tolist() == [7, 57]
    assert asked == {("t", (7,)): 1, ("t", (57,)): 1}


def test_a_clause_that_others_share_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of exclusions that spans fields, in many clauses."""
    shared = AtLeast(1, (Leaf("a", OneOf(frozenset({1}))), Leaf("b", OneOf(frozenset({2})))))
    segment = segment_of([{"a": (number % 5,), "b": (number % 7,), "c": (number % 2,)} for number in range(70)])
    clauses: dict[str, Clause] = {str(n): Every((Leaf("c", Above(n - 5)), Not(shared))) for n in range(5)}
    calls: list[Node] = []
    original = module._Search._any

    def counted(search: module._Search, node: Node, rows: Rows | None) -> Rows | None:
        calls.append(node)
        return original(search, node, rows)

    monkeypatch.setattr(module._Search, "_any", counted)
    evaluate(clauses, segment)
    assert len(calls) == 1


def test_memory_is_bounded_by_forgetting(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was forgotten is found out again; answers do not change."""
    monkeypatch.setattr(module, "_KEPT_BYTES", 1)
    rows: list[dict[str, Values]] = [{"a": (number % 5,), "b": (number % 7,)} for number in range(70)]
    shared = AtLeast(1, (Leaf("a", Above(3)), Leaf("b", Above(5))))
    clauses: dict[str, Clause] = {str(n): Every((Leaf("a", Above(n)), Not(shared))) for n in range(5)}
    found = evaluate(clauses, segment_of(rows))
    assert {name: hits.tolist() for name, hits in found.items()} == {
        name: [i for i, row in enumerate(rows) if matches(clause, row)] for name, clause in clauses.items()
    }


def test_an_evaluator_serves_several_segments() -> None:
    """Nothing of one segment is taken for the other's."""
    evaluator = Evaluator({"x": Leaf("a", OneOf(frozenset({1})))})
    assert evaluator.fields == {"a"}
    assert evaluator.evaluate(segment_of([{"a": (1,)}, {"a": (2,)}]))["x"].tolist() == [0]
    assert evaluator.evaluate(segment_of([{"a": (2,)}, {"a": (2, 1)}]))["x"].tolist() == [1]
    assert evaluator.evaluate(segment_of([{"b": (1,)}]))["x"].tolist() == []
