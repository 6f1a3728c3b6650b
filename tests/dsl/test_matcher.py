"""Many queries on one document: what is looked up, what is asked, and how often."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolbin_rules.dsl.clause import AtLeast, Clause, Every, Leaf, Not, Nothing, OneOf
from lolbin_rules.dsl.combine import all_of, any_of, at_least, none_of
from lolbin_rules.dsl.drivers import Drivers, Table
from lolbin_rules.dsl.field import Typed, Values
from lolbin_rules.dsl.matcher import Matcher
from lolbin_rules.dsl.predicates import Between, Caseless, Prefix, Present, Wildcard
from lolbin_rules.dsl.word_tests import AnyWord


@dataclass(frozen=True)
class Asked:
    """A test that remembers how often it was asked."""

    name: str
    answers: bool = True
    asked: list[Values] = field(default_factory=list, compare=False)

    def holds(self, values: Values) -> bool:
        """Remember the values."""
        self.asked.append(values)
        return self.answers


def one_of(name: str, *values: str | int) -> Leaf:
    """The field has one of the values."""
    return Leaf(name, OneOf(frozenset(values)))


def test_nothing_is_asked_of_a_query_that_no_value_leads_to() -> None:
    """500 rules for 500 programs cost a document of another program one lookup."""
    asked = Asked("any")
    queries = {str(n): Every((one_of("name", f"{n}.exe"), Leaf("args", asked))) for n in range(500)}
    matcher = Matcher(queries)
    assert matcher.match({"name": ("other.exe",), "args": ("x",)}) == frozenset()
    assert asked.asked == []
    assert matcher.match({"name": ("7.exe", "9.exe"), "args": ("x",)}) == {"7", "9"}
    assert matcher.fields == {"name", "args"}


def test_what_several_queries_ask_in_the_same_words_is_asked_once() -> None:
    """A leaf, or a whole exclusion, of 100 rules."""
    asked = Asked("shared")
    shared = Not(AtLeast(2, (Leaf("ip", asked), Leaf("net", Present()))))
    matcher = Matcher({str(n): Every((one_of("kind", "a"), shared, one_of("n", n))) for n in range(100)})
    assert matcher.match({"kind": ("a",), "n": tuple(range(100)), "ip": (1,), "net": (2,)}) == frozenset()
    assert len(asked.asked) == 1


@pytest.mark.parametrize(
    ("leaf", "values"),
    [
        (Leaf("f", Caseless(frozenset({"cmd.exe"}))), ("CMD.exe",)),
        (Leaf("f", AnyWord(OneOf(frozenset({"quick"})))), ("the QUICK fox",)),
        (Leaf("f", AnyWord(Caseless(frozenset({"quick"})))), ("a", "Quick!")),
        (one_of("f", 443), (80, 443)),
    ],
)
def test_values_lead_to_queries_whatever_way_they_are_compared(leaf: Leaf, values: Values) -> None:
    """Without case, by words, and among several values."""
    asked = Asked("rest")
    matcher = Matcher({"q": Every((Leaf("other", asked), leaf))})
    assert matcher.match({"f": values, "other": ("x",)}) == {"q"}
    assert matcher.match({"f": ("nothing",), "other": ("x",)}) == frozenset()
    assert len(asked.asked) == 1


def test_the_rarer_of_two_lookups_leads() -> None:
    """Judged by how many values all queries together ask of a field."""
    queries = {str(n): Every((one_of("kind", "process"), one_of("name", f"{n}.exe"))) for n in range(20)}
    driven = Drivers(queries.values()).split(queries["3"])
    assert driven.drivers is not None
    assert [driver.field for driver in driven.drivers] == ["name"]
    assert driven.rest == one_of("kind", "process")


@pytest.mark.parametrize(
    "clause",
    [
        Not(one_of("f", "a")),
        Every(),
        AtLeast(1, (one_of("f", "a"), Not(one_of("g", "b")))),
        AtLeast(2, (one_of("f", "a"), Every(), Not(one_of("g", "b")))),
    ],
)
def test_what_nothing_can_lead_to_is_asked_of_every_document(clause: Clause) -> None:
    """Exclusions, and alternatives of which one is such."""
    assert Drivers([clause]).split(clause).drivers is None


@pytest.mark.parametrize(
    ("leaf", "possible", "impossible"),
    [
        (Leaf("f", Wildcard("*\\\\certutil.exe*")), "C:\\certutil.exe", "certutil.exe"),
        (Leaf("f", Wildcard("a?*BCD*\\*", is_caseless=True)), "xbcdx", "abd"),
        (Leaf("f", Prefix("Cert")), "my CERT", "ert"),
        (Leaf("f", Between(1, 2)), 7, None),
    ],
)
def test_what_cannot_be_looked_up_is_asked_where_it_is_possible(
    leaf: Leaf, possible: str | int, impossible: str | int | None
) -> None:
    """The longest part of a pattern has to be there, or at least a value."""
    asked = Asked("rest")
    matcher = Matcher({"q": Every((leaf, Leaf("other", asked)))})
    matcher.match({"f": () if impossible is None else (impossible,), "other": ("x",)})
    assert asked.asked == []
    driven = Drivers([leaf]).split(leaf)
    assert driven.drivers is not None
    (driver,) = driven.drivers
    table = Table(driver.field, driver.view)
    for key in driver.keys:
        table.add(key, "q")
    assert list(table.names((possible,))) == [["q"]]
    assert driven.rest == leaf


def test_a_query_that_matches_nothing_costs_nothing() -> None:
    """Not even its fields are read."""
    matcher = Matcher({"none": Nothing(), "all": Every()})
    assert matcher.fields == frozenset()
    assert matcher.match({}) == {"all"}


LEAVES = st.one_of(
    st.builds(one_of, st.sampled_from("fgh"), st.sampled_from("abc"), st.sampled_from("abC")),
    st.builds(lambda name: Leaf(name, Present()), st.sampled_from("fgh")),
    st.builds(
        lambda name, text: Leaf(name, Caseless(frozenset({text}))), st.sampled_from("fgh"), st.sampled_from("abc")
    ),
    st.builds(lambda name: Leaf(name, Wildcard("?")), st.sampled_from("fgh")),
    st.just(Nothing()),
)


def combined(parts: st.SearchStrategy[Clause]) -> st.SearchStrategy[Clause]:
    """Clauses out of clauses."""
    several = st.lists(parts, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Every, several),
        st.builds(AtLeast, st.integers(1, 3), several),
        st.builds(Not, parts),
    )


CLAUSES = st.recursive(LEAVES, combined, max_leaves=8)
DOCUMENTS = st.dictionaries(st.sampled_from("fgh"), st.lists(st.sampled_from("abcABCd"), max_size=2).map(tuple))


def is_true(clause: Clause, document: Typed) -> bool:
    """What a clause means, word by word."""
    match clause:
        case Leaf(name, test):
            return bool(document.get(name)) and test.holds(document[name])
        case Every(clauses):
            return all(is_true(each, document) for each in clauses)
        case AtLeast(number, clauses):
            return sum(is_true(each, document) for each in clauses) >= number
        case Not(inner):
            return not is_true(inner, document)
        case Nothing():
            return False


@given(st.lists(CLAUSES, max_size=6), DOCUMENTS)
def test_many_queries_at_once_match_as_each_by_itself(clauses: list[Clause], document: Typed) -> None:
    """Whatever leads to them and whatever they share."""
    matcher = Matcher({str(number): clause for number, clause in enumerate(clauses)})
    expected = {str(number) for number, clause in enumerate(clauses) if is_true(clause, document)}
    assert matcher.match(document) == expected


@given(st.lists(CLAUSES, max_size=4), st.integers(-1, 5), DOCUMENTS)
def test_clauses_put_together_mean_what_they_say(clauses: list[Clause], number: int, document: Typed) -> None:
    """The simplest form means the same."""
    truths = [is_true(clause, document) for clause in clauses]
    assert is_true(all_of(clauses), document) == all(truths)
    assert is_true(any_of(clauses), document) == any(truths)
    assert is_true(none_of(clauses), document) == (not any(truths))
    assert is_true(at_least(number, clauses), document) == (sum(truths) >= number)


def test_exact_terms_of_one_field_become_one_lookup() -> None:
    """However they are compared, and each way for itself."""
    joined = any_of(
        [
            one_of("f", "a"),
            Leaf("f", Caseless(frozenset({"x"}))),
            one_of("f", "b"),
            Leaf("f", Caseless(frozenset({"y"}))),
            Leaf("f", AnyWord(OneOf(frozenset({"w"})))),
            Leaf("f", Between(1, 2)),
        ]
    )
    assert joined == AtLeast(
        1,
        (
            one_of("f", "a", "b"),
            Leaf("f", Caseless(frozenset({"x", "y"}))),
            Leaf("f", AnyWord(OneOf(frozenset({"w"})))),
            Leaf("f", Between(1, 2)),
        ),
    )
