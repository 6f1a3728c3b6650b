"""Rules that were loaded together: selected, compared with an earlier load, and reduced to what decides their hits."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeAlias

from lolbin_rules.errors import Fault, RuleSetError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from lolbin_rules.rule.model import Condition, NamedList, Rule

__all__ = ["JSON", "Changes", "RuleSet", "changed", "logic", "logic_text", "used_lists"]

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules and lists that are free of faults, and every fault of those that are not.

    Attributes:
        rules: the rules by id; a rule with a fault is not among them.
        lists: the named lists by id.
        faults: what is wrong with files, rules and lists, ordered by place.
        warnings: what is probably not meant, but does not keep a rule from running.
        origin: `path:line` of each rule, by its id.
    """

    rules: Mapping[str, Rule] = field(default_factory=_nothing)
    lists: Mapping[str, NamedList] = field(default_factory=_nothing)
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    origin: Mapping[str, str] = field(default_factory=_nothing)

    def raise_if_faulty(self) -> RuleSet:
        """The set itself.

        Raises:
            RuleSetError: anything is at fault; it names all of it.
        """
        if self.faults:
            raise RuleSetError(self.faults)
        return self

    def select(self, ids: Collection[str] = (), tags: Collection[str] = ()) -> RuleSet:
        """The rules that have one of the ids (if any are given) and one of the tags (if any are given).

        Raises:
            SettingsError: no rule has one of these ids, or one of these tags.
        """
        _check_known("rule id", ids, self.rules)
        _check_known("tag", tags, {tag for rule in self.rules.values() for tag in rule.tags})
        chosen = {
            rule.id: rule
            for rule in self.rules.values()
            if (not ids or rule.id in ids) and (not tags or not set(tags).isdisjoint(rule.tags))
        }
        return replace(self, rules=MappingProxyType(chosen))


def _check_known(kind: str, asked: Iterable[str], known: Collection[str]) -> None:
    for name in asked:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            remedy = f"Did you mean {close[0]}?" if close else f"There are {len(known)} to choose from."
            raise SettingsError(f"no rule has the {kind} {name!r}; nothing would be selected by it. {remedy}")


@dataclass(frozen=True, slots=True)
class Changes:
    """The ids of the rules that differ between two loads, each in order."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def changed(old: RuleSet, new: RuleSet) -> Changes:
    """What a new load changed, by value. A change of a list is a change of the rules that use it."""
    return Changes(
        added=tuple(sorted(new.rules.keys() - old.rules.keys())),
        changed=tuple(
            rule_id
            for rule_id in sorted(new.rules.keys() & old.rules.keys())
            if _value(old.rules[rule_id], old.lists) != _value(new.rules[rule_id], new.lists)
        ),
        removed=tuple(sorted(old.rules.keys() - new.rules.keys())),
    )


def _value(rule: Rule, lists: Mapping[str, NamedList]) -> str:
    """Everything that a rule says, as text; unlike `==` it tells 1 from true and from 1.0."""
    used = {list_id: lists[list_id].model_dump(mode="json") for list_id in used_lists(rule)}
    return _canonical([rule.model_dump(mode="json"), used])


def used_lists(rule: Rule) -> tuple[str, ...]:
    """The ids of the lists that the conditions of a rule name, in order."""
    conditions = (*rule.match.values(), *rule.exclude.values())
    return tuple(sorted({list_id for condition in conditions for list_id in condition.list}))


def logic_text(rule: Rule, lists: Mapping[str, NamedList]) -> str:
    """`logic` as canonical JSON: equal texts, equal hits."""
    return _canonical(logic(rule, lists))


def logic(rule: Rule, lists: Mapping[str, NamedList]) -> dict[str, JSON]:
    """What decides which events a rule hits: not its name, severity, times, cap or tags, nor the order of values."""
    return {
        "type": rule.type,
        "index": _ordered(rule.index),
        "match": {name: _decisive(condition, lists) for name, condition in rule.match.items()},
        "exclude": {name: _decisive(condition, lists) for name, condition in rule.exclude.items()},
        "vars": dict(rule.vars),
    }


def _decisive(condition: Condition, lists: Mapping[str, NamedList]) -> dict[str, JSON]:
    """A condition with the values of its lists in place of their names."""
    values: dict[str, JSON] = {
        kind: _ordered(listed) for kind in ("any_of", "cidr", "wildcard") if (listed := getattr(condition, kind))
    }
    for list_id in condition.list:
        kind = f"list of {lists[list_id].type}"
        others = values.get(kind, [])
        values[kind] = _ordered([*others, *lists[list_id].values])  # type: ignore[misc]
    values.update(condition.range)
    if condition.exists is not None:
        values["exists"] = condition.exists
    if condition.case_insensitive:
        values["case_insensitive"] = True
    return values


def _ordered(values: Iterable[Any]) -> list[JSON]:
    """Each value once, in an order that does not depend on how they were written."""
    return [json.loads(text) for text in sorted({json.dumps(value) for value in values})]


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
