"""The little languages inside queries: wildcards, regular expressions, query strings."""

from __future__ import annotations

from collections.abc import Sequence

from fuzz.drawing import DATES, KEYWORDS, NUMBERS, Draw, Field

__all__ = ["minimum_should_match", "query_string", "regexp", "simple_query_string", "wildcard"]

_REGEXP_SPECIAL = frozenset('.?+*|{}[]()"\\#@&<>~^$-')
_QUERY_SPECIAL = frozenset('+-=&|><!(){}[]^"~*?:\\/ ')
_WORDY = KEYWORDS | {"text"}


def wildcard(draw: Draw, text: str) -> str:
    """A wildcard pattern that the text may fit."""
    escaped = [f"\\{char}" if char in "*?\\" and not draw.chance(0.1) else char for char in text]
    for _ in range(draw.one(1, 1, 2, 3)):
        at = draw.random.randrange(len(escaped) + 1)
        to = min(len(escaped), at + draw.one(0, 1, 2, 5, 100))
        kind = draw.random.random()
        if kind < 0.6:
            escaped[at:to] = ["*"]
        elif kind < 0.85:
            escaped[at : at + 1] = ["?"]
        elif kind < 0.95:
            escaped[at:at] = ["\\"]
        else:
            escaped[at:to] = ["*", draw.one("?", "*"), "*"]
    if draw.chance(0.2):
        escaped = ["*", *escaped, "*"]
    pattern = "".join(escaped)
    return draw.near_text(pattern) if draw.chance(0.1) else pattern


def regexp(draw: Draw, text: str, other: str) -> str:
    """A regular expression that one of the texts may fit, with any of Lucene's operators."""
    parts = [_literal(draw, char) for char in text]
    for _ in range(draw.one(0, 1, 1, 2, 3)):
        at = draw.random.randrange(len(parts) + 1)
        to = min(len(parts), at + draw.one(1, 1, 2, 4, 100))
        parts[at:to] = [_operator(draw, "".join(parts[at:to]), text[at:to])]
    pattern = "".join(parts)
    chosen = draw.random.random()
    if chosen < 0.08:
        return f"~({pattern})"
    if chosen < 0.14:
        return (
            f"{pattern}&~({regexp(draw, other, text)})"
            if draw.chance(0.5)
            else f"{pattern}&.*{draw.one('e', 'x', '.')}.*"
        )
    if chosen < 0.22:
        return f"{pattern}|{regexp(draw, other, text)}"
    if chosen < 0.26:
        return draw.near_text(pattern)
    return pattern


def _literal(draw: Draw, char: str) -> str:
    if char in _REGEXP_SPECIAL:
        return char if draw.chance(0.05) else f"\\{char}"
    return char


def _operator(draw: Draw, pattern: str, text: str) -> str:
    """Something in place of a part of the text, mostly something that fits it as well."""
    first = text[:1] or "a"
    inside = first if first.isalnum() else f"\\{first}"
    number = int(text) if text.isascii() and text.isdigit() else 5
    grouped = f"({pattern})"
    after = min(ord(inside[-1]) + draw.one(0, 1, 5), 0x10FFFF)
    high = inside if 0xD800 <= after <= 0xDFFF else chr(after)
    return str(
        draw.one(
            *(
                ".",
                ".*",
                ".+",
                ".?",
                ".{0,3}",
                f".{{{len(text)}}}",
                f".{{{max(len(text) - 1, 0)},}}",
                f"{grouped}*",
                f"{grouped}+",
            ),
            *(
                f"{grouped}?",
                f"{grouped}{{1}}",
                f"{grouped}{{1,2}}",
                f"{grouped}{{2}}",
                f"({pattern}|x)",
                f"({pattern}|)",
                f"[{inside}]",
            ),
            *(
                f"[^{inside}]",
                f"[{inside}-{high}]",
                f"[a-z{inside}]+",
                "[^a-c]",
                f"[^{inside}]*",
                "@",
                "#",
                f'"{text}"',
                '"."',
                "()",
            ),
            *(
                "<0-9>",
                "<1-65535>",
                f"<{number - 1}-{number + 1}>",
                f"<00-{number:02}>",
                f"~{grouped}",
                f"~[{inside}]",
                f"({pattern}&.*)",
            ),
            *(
                "\\d",
                "\\w+",
                "\\s",
                "\\D",
                "\\W",
                "\\S+",
                f"\\{first}",
                "~(.*x.*)",
                "(.*&~(x+))",
                "[\\w.]+",
                "[^\\d]",
                "[]",
                "[a",
                "(",
                "{",
                "a{2,1}",
            ),
        )
    )


def minimum_should_match(draw: Draw, number: int) -> int | str:
    """One of the forms of `minimum_should_match`, around the number of clauses."""
    few = draw.random.randint(-number - 1, number + 1)
    percent = draw.one(0, 10, 25, 30, 34, 50, 51, 67, 75, 99, 100, 120)
    if draw.chance(0.15):
        return few
    texts = (f"{few}", f"{percent}%", f"-{percent}%", f"{draw.one(1, 2)}<{percent}%", f"{draw.one(0, 1, 2)}<{few}")
    return draw.one(*texts, f"1<{few} 3<{percent}%", f"2<-{percent}% 4<-1", f" {few} ", f"+{abs(few)}")


def query_string(draw: Draw, names: Sequence[str] = ()) -> str:
    """A text in Lucene's query syntax; with names, terms are mostly left without a field of their own."""
    parts = [_part(draw, names, depth=0) for _ in range(draw.one(1, 1, 1, 2, 2, 3))]
    text = parts[0]
    for part in parts[1:]:
        text += draw.one(" ", " ", " AND ", " OR ", " AND NOT ", " && ", " || ", " NOT ", " +", " -", " !") + part
    if draw.chance(0.05):
        text = draw.one("NOT ", "+", "-", "!") + text
    if draw.chance(0.02):
        at = draw.random.randrange(len(text) + 1)
        text = text[:at] + draw.one('"', "(", ")", "[", "/", "\\", ":", "^", "~", " AND", "&", "*") + text[at:]
    return text


def _part(draw: Draw, names: Sequence[str], depth: int) -> str:
    chosen = draw.random.random()
    if depth < 2 and chosen < 0.1:
        inner = draw.one(" ", " OR ", " AND ").join(_part(draw, names, depth + 1) for _ in range(draw.one(1, 2, 2, 3)))
        return f"{draw.one('', '', 'NOT ', '-')}({inner}){draw.one('', '', '^2')}"
    field = draw.field()
    if names and chosen < 0.8:
        field = next((each for each in draw.fields if each.name == draw.random.choice(names)), field)
        return _bare(draw, field)
    if chosen < 0.84:
        return draw.one(
            "*:*", "*", f"_exists_:{field.name}", f"{field.name}:*", "_exists_:process", f"_exists_:{_star(field.name)}"
        )
    name = field.name if draw.chance(0.93) else _star(field.name).replace("*", "\\*")
    if chosen < 0.9 and depth < 2:
        inner = draw.one(" ", " OR ", " AND ", " -").join(_bare(draw, field) for _ in range(draw.one(2, 2, 3)))
        return f"{name}:({inner})"
    return f"{name}:{_bare(draw, field)}"


def _star(name: str) -> str:
    outer, dot, inner = name.rpartition(".")
    return f"{outer}.*" if dot else f"{inner[:3]}*"


def _bare(draw: Draw, field: Field) -> str:
    """What stands after the colon."""
    if field.type == "ip":
        text = draw.network(field)
        return draw.one(f'"{text}"', escaped(text), _range(draw, field))
    if field.type in DATES or field.type in NUMBERS:
        return draw.one(
            f'"{draw.near(field)}"', escaped(str(draw.near(field))), _range(draw, field), _range(draw, field)
        )
    ways = (_escaped_text, _quoted, _wildcards_in, _slashed, _range, _escaped_word, _unescaped, _escaped_words)
    (way,) = draw.random.choices(ways, (25, 20, 15, 8, 7, 15, 3, 7))
    return way(draw, field)


def _escaped_text(draw: Draw, field: Field) -> str:
    return escaped(draw.text(field)) or '""'


def _escaped_word(draw: Draw, field: Field) -> str:
    return escaped(draw.word(field)) or "x"


def _escaped_words(draw: Draw, field: Field) -> str:
    return " ".join(escaped(word) for word in draw.phrase(field).split()) or "x"


def _unescaped(draw: Draw, field: Field) -> str:
    """Whatever the parser makes of it."""
    return draw.near_text(draw.text(field))


def _quoted(draw: Draw, field: Field) -> str:
    phrase = draw.phrase(field) if field.type == "text" else draw.text(field)
    return f"{_in_quotes(phrase)}{draw.one('', '', '', '~1', '~2', '^3')}"


def _slashed(draw: Draw, field: Field) -> str:
    pattern = regexp(draw, draw.word(field), draw.word(field)).replace("/", "\\/")
    return f"/{pattern}/"


def _in_quotes(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{inner}"'


def escaped(text: str) -> str:
    """The text with a backslash before what the query syntax gives a meaning."""
    return "".join(f"\\{char}" if char in _QUERY_SPECIAL else char for char in text)


def _wildcards_in(draw: Draw, field: Field) -> str:
    text = draw.word(field) if field.type == "text" else draw.text(field)
    at = draw.random.randrange(len(text) + 1)
    to = min(len(text), at + draw.one(0, 1, 3, 100))
    return f"{escaped(text[:at])}{draw.one('*', '*', '?')}{escaped(text[to:])}"


def _range(draw: Draw, field: Field) -> str:
    def bound() -> str:
        value = draw.network(field).partition("/")[0] if field.type == "ip" else str(draw.near(field))
        return escaped(value) if draw.chance(0.7) and value else _in_quotes(value)

    if draw.chance(0.3):
        return f"{draw.one('>', '<', '>=', '<=')}{bound()}"
    low, high = (("*" if draw.chance(0.2) else bound()) for _ in range(2))
    return f"{draw.one('[', '[', '{')}{low} TO {high}{draw.one(']', ']', '}')}"


def simple_query_string(draw: Draw, field: Field) -> str:
    """A text for `simple_query_string`, which hardly anything is wrong in."""
    parts = []
    for _ in range(draw.one(1, 1, 2, 3)):
        word = draw.word(field)
        half = word[: max(1, len(word) // 2)]
        parts.append(
            draw.one(
                *(word, word, f'"{draw.phrase(field)}"', f"{half}*", f"-{word}", f"+{word}", f"\\{word}", f"({word})"),
                *(
                    f"({word} | {draw.word(field)})",
                    f'"{draw.phrase(field)}"~2',
                    f"{word} |",
                    f"-({half}* {word})",
                    f'"{half}',
                ),
            )
        )
    return draw.one(" ", " ", " | ", " + ", " -", "|").join(parts)
