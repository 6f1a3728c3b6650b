"""Rules that were loaded together: selected, compared with an earlier load, and reduced to what decides their hits."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from lolbin_rules.errors import Fault, RuleSetError, SettingsError
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.rule_kinds import TYPED_KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from lolbin_rules.rule.model import Condition, ExceptionList, NamedList

__all__ = ["JSON", "Changes", "RuleSet", "changed", "logic", "logic_text", "used_lists"]

DECISIVE: Final = TYPED_KEYS - {"index", "match", "exclude"} | {
    "timestamp_override",
    "timestamp_override_fallback_disabled",
}
"""The keys of some types that decide which events a rule hits, besides those that `logic` puts in order."""
JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"


def _nothing() -> Mapping[str, Any]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RuleSet:
    """The rules and lists that are free of faults, and every fault of those that are not.

    Attributes:
        rules: the rules by id; a rule with a fault is not among them.
        lists: the named lists by id.
        exceptions: the exception lists by id.
        faults: what is wrong with files, rules and lists, ordered by place.
        warnings: what is probably not meant, but does not keep a rule from running.
        origin: `path:line` of each rule, by its id.
    """

    rules: Mapping[str, Rule] = field(default_factory=_nothing)
    lists: Mapping[str, NamedList] = field(default_factory=_nothing)
    exceptions: Mapping[str, ExceptionList] = field(default_factory=_nothing)
    faults: tuple[Fault, ...] = ()
    warnings: tuple[Fault, ...] = ()
    origin: Mapping[str, str] = field(default_factory=_nothing)

    def exceptions_of(self, rule_id: str) -> tuple[ExceptionList, ...]:
        """The exception lists that name the rule or that the rule names, in the order of their ids."""
        named = self.rules[rule_id].exceptions if rule_id in self.rules else ()
        return tuple(
            self.exceptions[list_id]
            for list_id in sorted(self.exceptions)
            if list_id in named or self.exceptions[list_id].names(rule_id)
        )

    @property
    def exceptions_by_rule(self) -> Mapping[str, tuple[ExceptionList, ...]]:
        """As `exceptions_of`, of every rule that has any."""
        return {rule_id: found for rule_id in self.rules if (found := self.exceptions_of(rule_id))}

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
    """What a new load changed, by value. A change of a list, also of exceptions, is one of the rules that use it."""
    return Changes(
        added=tuple(sorted(new.rules.keys() - old.rules.keys())),
        changed=tuple(
            rule_id
            for rule_id in sorted(new.rules.keys() & old.rules.keys())
            if _value(old, rule_id) != _value(new, rule_id)
        ),
        removed=tuple(sorted(old.rules.keys() - new.rules.keys())),
    )


def _value(ruleset: RuleSet, rule_id: str) -> str:
    """Everything that a rule says, as text; unlike `==` it tells 1 from true and from 1.0."""
    rule, exceptions = ruleset.rules[rule_id], ruleset.exceptions_of(rule_id)
    used = {*used_lists(rule), *(list_id for each in exceptions for list_id in each.lists)}
    used |= {list_id for list_id in ruleset.lists if any(list_id in text for text in _templates(rule))}
    parts = (rule, *exceptions, *(ruleset.lists[list_id] for list_id in sorted(used)))
    return _canonical([part.model_dump(mode="json") for part in parts])


def _templates(rule: Rule) -> tuple[str, ...]:
    """Texts that may read a list by its name."""
    return tuple(text for text in (rule.query, rule.threat_query) if text and "{" in text)


def used_lists(rule: Rule) -> tuple[str, ...]:
    """The ids of the lists that the conditions of a rule name, in order."""
    conditions = (*rule.match.values(), *rule.exclude.values())
    return tuple(sorted({list_id for condition in conditions for list_id in condition.list}))


def logic_text(rule: Rule, lists: Mapping[str, NamedList]) -> str:
    """`logic` as canonical JSON: equal texts, equal hits."""
    return _canonical(logic(rule, lists))


def logic(rule: Rule, lists: Mapping[str, NamedList]) -> dict[str, JSON]:
    """What decides which events a rule hits: not its name, severity, times, cap or tags, nor the order of values."""
    written = rule.model_dump(mode="json", include={*DECISIVE})
    return {
        **{key: value for key, value in written.items() if getattr(rule, key) != Rule.model_fields[key].default},
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
