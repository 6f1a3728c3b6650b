"""A KQL tree as a text that means it: the opposite of `parse_kql`."""

from __future__ import annotations

import re

from lolbin_rules.query.kql.nodes import And, Everything, Is, Name, Nested, Node, Not, Or, Range, Value, Wild, Word

__all__ = ["printed"]

SPACE = r"[ \t\r\n\u00a0]"
SIGNS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
PLAIN_NAME = re.compile(r"[A-Za-z0-9_@.-]+")


def printed(node: Node, *, lists: bool = True) -> str:
    """The text; with `lists`, alternatives of one field are `field:(a or b)`."""
    match node:
        case Everything():
            return ""
        case And(parts) | Or(parts):
            word, kind = (" and ", And) if isinstance(node, And) else (" or ", Or)
            return _listed(node, lists) or word.join(_part(part, lists, kind) for part in parts)
        case Not(part):
            return f"not {_part(part, lists, Not)}"
        case Is(name, value):
            return _value(value) if name is None else f"{_name(name)}:{_value(value)}"
        case Range(name, comparison, limit):
            return f"{_name(name)} {SIGNS[comparison]} {_value(limit)}"
        case Nested(path, part):
            return f"{_name(path)}:{{ {printed(part, lists=lists)} }}"


def _part(node: Node, lists: bool, within: type[And | Or | Not]) -> str:  # noqa: FBT001
    text = printed(node, lists=lists)
    binds = (
        isinstance(node, Is | Range | Nested)
        or (lists and _listed(node, lists))
        or (isinstance(node, Not) and within is not Not)
    )
    return text if binds or (within is Or and isinstance(node, And)) else f"({text})"


def _listed(node: Node, lists: bool) -> str:  # noqa: FBT001
    """As a list of values; empty where it is none."""
    names = set(_names(node))
    if not lists or not isinstance(node, And | Or) or len(names) != 1 or None in names:
        return ""
    (name,) = names
    return f"{_name(name)}:({_values(node)})" if name is not None else ""


def _names(node: Node) -> list[Name | None]:
    """The names of all comparisons, where there are no others than those that a list may have."""
    match node:
        case And(parts) | Or(parts):
            return [name for part in parts for name in _names(part)]
        case Not(part):
            return _names(part)
        case Is(name):
            return [name]
        case _:
            return [None]


def _values(node: Node) -> str:
    match node:
        case And(parts):
            return " and ".join(f"({_values(part)})" if isinstance(part, And | Or) else _values(part) for part in parts)
        case Or(parts):
            return " OR ".join(f"({_values(part)})" if isinstance(part, And | Or) else _values(part) for part in parts)
        case Not(part):
            return f"Not {f'({_values(part)})' if not isinstance(part, Is) else _values(part)}"
        case Is(_, value):
            return _value(value)
        case _:
            raise TypeError(node)


def _name(name: Name) -> str:
    if isinstance(name, Wild):
        return _value(name)
    is_plain = PLAIN_NAME.fullmatch(name) and not name.lower().endswith("not")
    return name if is_plain else _value(Word(name, is_quoted=True))


def _value(value: Value) -> str:
    if isinstance(value, Wild):
        first, *middle, last = [_escaped(part) for part in value.parts]
        return "*".join([_ends(first, r"^\s+"), *middle, _ends(last, r"\s+$")])
    if isinstance(value.text, bool):
        return "true" if value.text else "false"
    if value.is_quoted:
        escaped = value.text.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    if value.text in {"true", "false"}:
        return f"\\u{ord(value.text[0]):04x}{value.text[1:]}"
    return _ends(_escaped(value.text), r"^\s+|\s+$")


def _escaped(text: str) -> str:
    text = re.sub(r'[\\():<>"*{}]', r"\\\g<0>", text)
    return re.sub(rf"(?:not|(?<={SPACE})(?:and|or))(?={SPACE}|$)", r"\\\g<0>", text, flags=re.IGNORECASE)


def _ends(text: str, where: str) -> str:
    """Spaces at the ends would be trimmed."""
    return re.sub(where, lambda found: "".join(f"\\u{ord(letter):04x}" for letter in found[0]), text)
