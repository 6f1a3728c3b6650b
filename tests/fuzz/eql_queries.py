"""Random EQL queries over the fields of `eql_documents`, near the values that documents have."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final, TypeAlias, TypeVar

from fuzz.eql_documents import FIELDS, POOLS
from lolbin_rules.query.eql.writing import eql_quote

__all__ = ["Queries"]

_TEXT_FIELDS: Final = ("process.name", "process.args", "path", "process.name", "process.args")
_NUMBER_FIELDS: Final = ("pid", "score")
_ORDERS: Final = ("<", "<=", ">", ">=")
_SIGNS: Final = ("==", "==", "!=", *_ORDERS)
_BLOCKS: Final = ("10.0.0.0/8", "10.0.0.1/31", "192.168.0.0/16", "fe80::/10", "0.0.0.0/0", "::/0", "8.8.8.8")
_EXPRESSIONS: Final = (
    *("a.*", ".*exe", "[a-c]+", "cmd\\.exe|a", "(a|b)*", "a?b?c?", ".", "[^a]*", "C:.*", "\\*", "c.{2,20}e", "a\\+b"),
    *("[0-9]+", "k", "", ".*i.*", "\\\\"),
)

T = TypeVar("T")
_Leaf: TypeAlias = Callable[[], str]


class Queries:
    """Makes one query after the other, from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = Random(f"eql queries {seed}")
        self._exact: tuple[_Leaf, ...] = (
            *(
                self._text_compared,
                self._text_compared,
                self._matched,
                self._matched,
                self._listed,
                self._listed_caseless,
            ),
            *(self._expression, self._number_compared, self._number_compared, self._null, self._affix, self._block),
            *(self._flag, self._date, self._address, self._unmapped, self._constant),
        )
        self._open: tuple[_Leaf, ...] = (
            *(self._length, self._length, self._concat, self._substring, self._index, self._between, self._reckoned),
            *(self._reckoned, self._number_of_text, self._of_string, self._two_fields, self._null_of_function),
            *(self._constant_first, self._truth_as_text),
        )

    def make(self) -> str:
        """One query."""
        category = self._one("any", "any", "any", "process", '"file"', '"""network"""')
        return (
            f"{category} where {self._condition(self._random.choice((0, 1, 1, 2, 2, 3)), self._random.random() < 0.5)}"
        )

    def _one(self, *values: T) -> T:
        return self._random.choice(values)

    def _chance(self, share: float) -> bool:
        return self._random.random() < share

    def _condition(self, depth: int, may_be_open: bool) -> str:  # noqa: FBT001 - handed down as it is
        if not depth:
            return self._leaf(may_be_open)
        kind = self._one("and", "and", "or", "or", "not")
        if kind == "not":
            return f"not ({self._condition(depth - 1, may_be_open)})"
        parts = [self._condition(depth - 1, may_be_open) for _ in range(self._one(2, 2, 3))]
        return f" {kind} ".join(f"({part})" if self._chance(0.9) else part for part in parts)

    def _leaf(self, may_be_open: bool) -> str:  # noqa: FBT001 - handed down as it is
        leaf: str = self._one(*(self._open if may_be_open and self._chance(0.45) else self._exact))()
        return f"not {leaf}" if self._chance(0.15) else leaf

    def _text_field(self) -> str:
        return ("?" if self._chance(0.1) else "") + self._one(*_TEXT_FIELDS)

    def _text(self) -> str:
        return str(self._one(*POOLS["process.name"]))

    def _quoted(self, text: str) -> str:
        is_raw = "\n" not in text and '"' not in text and self._chance(0.2)
        return f'"""{text}"""' if is_raw else eql_quote(text)

    def _number(self, field: str) -> str:
        value = self._one(*POOLS[field], 3, 4.5, 41, -2)
        return f"{value:d}" if isinstance(value, int) else repr(value)

    def _text_compared(self) -> str:
        sides = self._text_field(), self._one("==", "==", "!=", *_ORDERS), self._quoted(self._text())
        return self._turned(*sides)

    def _turned(self, left: str, sign: str, right: str) -> str:
        if self._chance(0.85):
            return f"{left} {sign} {right}"
        return f"{right} {sign.replace('<', '#').replace('>', '<').replace('#', '>')} {left}"

    def _pattern(self) -> str:
        text = self._text()
        for _ in range(self._one(0, 1, 1, 2)):
            at = self._random.randrange(len(text) + 1)
            text = text[:at] + self._one("*", "*", "?") + text[at + self._one(0, 1, 1, 5) :]
        return self._quoted(self._one(text, text, text, text, "*", "**", "?*"))

    def _several(self, one: _Leaf) -> str:
        return one() if self._chance(0.5) else f"({', '.join(one() for _ in range(self._one(1, 2, 3)))})"

    def _matched(self) -> str:
        return f"{self._text_field()} {self._one(':', 'like', 'like~')} {self._several(self._pattern)}"

    def _expression(self) -> str:
        if self._chance(0.5):
            return f"{self._text_field()} regex {self._several(lambda: eql_quote(self._one(*_EXPRESSIONS)))}"
        # It is Lucene's own rule that ranges of letters keep their case, and that an empty expression matches nothing.
        plain = [each for each in _EXPRESSIONS if each and "[" not in each]
        return f"{self._text_field()} regex~ {self._several(lambda: eql_quote(self._one(*plain)))}"

    def _listed(self) -> str:
        field = self._one("process.name", "process.args", "pid", "source.ip", "@timestamp", "path")
        values = [self._one(*POOLS[field]) for _ in range(self._one(1, 2, 3))]
        return f"{field} {self._one('in', 'in', 'not in')} ({', '.join(map(eql_quote, values))})"

    def _listed_caseless(self) -> str:
        values = [self._quoted(self._text()) for _ in range(self._one(1, 2, 3))]
        return f"{self._text_field()} {self._one('in~', 'not in~')} ({', '.join(values)})"

    def _number_compared(self) -> str:
        field = self._one(*_NUMBER_FIELDS)
        return self._turned(field, self._one(*_SIGNS), self._number(field))

    def _null(self) -> str:
        return self._turned(self._one(*FIELDS), self._one("==", "!="), "null").replace("lost", "?lost")

    def _affix(self) -> str:
        function = self._one("startsWith", "endsWith", "stringContains")
        text = self._text()
        part = text[self._one(0, 0, 1) : self._one(1, 2, 4, 100)]
        call = f"{function}{self._one('', '~')}({self._text_field()}, {self._quoted(part)})"
        return call + self._one("", "", " == true", " == false", " != true", " != false")

    def _block(self) -> str:
        field = self._one("source.ip", "source.ip", "process.name")
        blocks = ", ".join(eql_quote(self._one(*_BLOCKS)) for _ in range(self._one(1, 1, 2)))
        return f"cidrMatch({field}, {blocks})" + self._one("", "", " == false", " != true")

    def _flag(self) -> str:
        return str(self._one("flag", "flag == true", "flag != true", "flag == false", "true == flag", "flag in (true)"))

    def _date(self) -> str:
        value = self._one(*map(eql_quote, POOLS["@timestamp"]), "1795341600000", "0")
        return self._turned("@timestamp", self._one(*_SIGNS), value)

    def _address(self) -> str:
        return self._turned("source.ip", self._one(*_SIGNS), eql_quote(self._one(*POOLS["source.ip"])))

    def _unmapped(self) -> str:
        conditions = (
            *('?gone == "a"', '?gone != "a"', "?gone == null", "?gone != null", '?gone : "a*"', "?gone in (1, 2)"),
            *('gone == "a"', 'gone != "a"', "gone == null", "?gone", "?gone == ?lost", "?gone != ?lost", "gone > 5"),
            *(
                "length(?gone) > 1",
                "concat(?gone, pid) == null",
                'startsWith(?gone, "a")',
                "?gone + 1 > 0",
                "pid == ?gone",
            ),
        )
        return str(self._one(*conditions))

    def _constant(self) -> str:
        return str(
            self._one("true", "false", '"abc" : "A*"', "1 + 1 == 2", '"a" in ("b")', "null == null", "1 == null")
        )

    def _length(self) -> str:
        return self._turned(
            f"length({self._text_field()})", self._one(*_SIGNS), self._one("0", "1", "2", "3", "7", "12")
        )

    def _concat(self) -> str:
        parts = [
            self._one("process.name", "process.args", "pid", "score", '"-"', "flag", "source.ip", "path")
            for _ in range(2)
        ]
        call = f"concat({', '.join(parts)})"
        texts = ("a-", "-a", "cmd.exe5", "atrue", "42a", "1.5a", "10.0.0.1a", "aa")
        return self._one(
            f"{call} {self._one(*_SIGNS)} {eql_quote(self._one(*texts))}",
            f"{call} : {eql_quote(self._one('a*', '*5', '*true*', '10.*', '?-*'))}",
            f"length({call}) > {self._one(2, 8, 12)}",
        )

    def _substring(self) -> str:
        bounds = self._one("0", "1", "-1", "0, 1", "1, 3", "-3, -1", "2, 1", "-60, 5")
        call = f"substring({self._text_field()}, {bounds})"
        part = eql_quote(self._text()[self._one(0, 1, -3) :][: self._one(1, 2, 3)])
        return self._one(f"{call} {self._one(*_SIGNS)} {part}", f'{call} in~ ({part}, "E")', f"{call} : {part}")

    def _index(self) -> str:
        start = self._one("", "", ", 1", ", -3", ", 50")
        part = self._one('"a"', '"e"', '"x"', '"C"', '"."', '""')
        call = f"indexOf{self._one('', '~')}({self._text_field()}, {part}{start})"
        return f"{call} {self._one('== null', '!= null', '== 0', '> 0', '!= 1', 'in (0, 1, 2)')}"

    def _between(self) -> str:
        left, right = (self._one('"a"', '"C"', '"\\\\"', '"."', '"e"', '"w"', '""') for _ in range(2))
        greedy = self._one("", "", ", true", ", false", ", null")
        call = f"between{self._one('', '~')}({self._text_field()}, {left}, {right}{greedy})"
        part = self._one("", self._text()[1:3])
        return f"{call} {self._one('==', '!=')} {eql_quote(part)}"

    def _reckoned(self) -> str:
        field = self._one(*_NUMBER_FIELDS)
        other = self._one("2", "2.0", "-6", "0", "3", "pid", "1")
        left = f"{field} {self._one('+', '-', '*', '/', '%')} {other}"
        call = f"{self._one('add', 'subtract', 'multiply', 'divide', 'modulo')}({field}, {other})"
        return self._turned(f"({self._one(left, call)})", self._one(*_SIGNS), self._one("41", "4", "0", "-1", "1.5"))

    def _number_of_text(self) -> str:
        base = self._one("", "", ", 16", ", null", ", 10")
        return f"number({self._text_field()}{base}) {self._one('== 42', '> 4', '!= null', '== null', 'in (5, 42)')}"

    def _of_string(self) -> str:
        field = self._one("pid", "score", "flag", "source.ip", "@timestamp", "process.name")
        condition = self._one(
            *(': "4*"', ': "*.5"', ': "t*"', ': "10.*"', ': "2026*"', ': "?"', ': "*:*"', 'like "4*"', 'like "F*"'),
            *('== "42"', '== "1.5"', '== "true"', '== "::1"', '== "10.0.0.1"', '== "2026-11-22T10:00:00.000Z"'),
            *('regex~ "[0-9]+"', 'regex~ ".*e"', 'regex~ ("a.*", "1.0E10|x")', 'regex~ "[a-z.]+"', 'regex~ "[^A-C]*"'),
            *('regex ""', 'regex~ ""', 'regex "[a-z.]+"', 'like "a?"'),
        )
        return f"string({field}) {condition}"

    def _two_fields(self) -> str:
        function = self._one("startsWith", "endsWith", "stringContains", "startsWith~", "endsWith~", "stringContains~")
        return f"{function}({self._text_field()}, {self._text_field()}){self._one('', '', ' == false', ' == null')}"

    def _null_of_function(self) -> str:
        inner = self._one(
            f"length({self._text_field()})",
            "pid + score",
            f"concat({self._text_field()}, pid)",
            "(pid > 4)",
            f'({self._text_field()} == "a" and pid > 4)',
            f'({self._text_field()} : "a*" or score > 1)',
        )
        return self._turned(inner, self._one("==", "!="), "null")

    def _constant_first(self) -> str:
        function = self._one("startsWith", "endsWith~", "stringContains")
        return f"{function}({self._quoted(self._text())}, {self._text_field()})"

    def _truth_as_text(self) -> str:
        inner = self._one(
            *('process.name == "a"', "pid > 4", 'not process.args : "a*"', "flag == true", 'process.name in ("a", "b")')
        )
        return f"string({inner}) == {eql_quote(self._one('true', 'false'))}"
