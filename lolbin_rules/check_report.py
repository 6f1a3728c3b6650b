"""What `check` prints: everything that is wrong with rules, lists and exceptions, and what no index answers to."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

import orjson

from lolbin_rules.errors import Fault, RenderError
from lolbin_rules.execution.fields import fitted
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.coverage_mode import why_not
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.store.port import Store

__all__ = ["elsewise_read", "report", "uncompilable", "unfitting"]


def report(found: RuleSet, faults: list[Fault], warnings: list[Fault], *, as_json: bool) -> None:
    """Print the faults and warnings, and how much is well-formed."""
    if as_json:
        whole = {
            "rules": sorted(found.rules),
            "lists": sorted(found.lists),
            "exceptions": sorted(found.exceptions),
            "faults": [asdict(fault) for fault in faults],
            "warnings": [asdict(warning) for warning in warnings],
        }
        _say(orjson.dumps(whole).decode())
        return
    for warning in warnings:
        _complain(f"warning: {warning.in_full}")
    for fault in faults:
        _complain(fault.in_full)
    kinds: list[tuple[int, str]] = [(len(found.rules), "rule"), (len(found.lists), "list")]
    if found.exceptions:
        kinds.append((len(found.exceptions), "exception list"))
    counted = [_counted(number, noun) for number, noun in kinds]
    good = f"{', '.join(counted[:-1])} and {counted[-1]} are well-formed"
    files = len({fault.path for fault in faults})
    _say(f"{good}; {_counted(len(faults), 'fault')} in {_counted(files, 'file')}." if faults else f"{good}.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def uncompilable(ruleset: RuleSet, now: datetime) -> Iterator[Fault]:
    """The well-formed rules that no query can be made of: a template cannot be filled, an exception not be applied."""
    for rule in ruleset.rules.values():
        try:
            RULE_TYPES[rule.type].compile(rule, Given(ruleset.lists, ruleset.exceptions_of(rule.id), NO_TYPES, now))
        except RenderError as error:
            yield _fault(rule, ruleset, " ".join(str(error).split()), "the rule cannot be searched", "Correct it.")


def elsewise_read(ruleset: RuleSet, now: datetime) -> Iterator[Fault]:
    """The rules that cannot be read the way they are to be, as far as that is known without a store."""
    for rule in ruleset.rules.values():
        with suppress(RenderError):
            kind = RULE_TYPES[rule.type]
            compiled = kind.compile(rule, Given(ruleset.lists, ruleset.exceptions_of(rule.id), NO_TYPES, now))
            if why := why_not(rule, is_single=kind.evaluator(rule, compiled) is None):
                what = f"coverage: {rule.coverage} is not possible for it, as {why}"
                yield _fault(rule, ruleset, what, "it is read by event_time", "Set coverage: event_time.")


def unfitting(ruleset: RuleSet, store: Store, now: datetime) -> Iterator[Fault]:
    """What of the rules does not fit the indices of a store: fields that no index has, types that clauses misread."""
    for course in fitted(ruleset.rules.values(), now, ruleset.lists, ruleset.exceptions_by_rule, store):
        for sentence in dict.fromkeys(course.tally.failures + course.tally.problems + course.tally.warnings):
            yield _fault(course.rule, ruleset, sentence.rstrip("."), "", "")


def _fault(rule: Rule, ruleset: RuleSet, what: str, consequence: str, remedy: str) -> Fault:
    path, _, line = ruleset.origin[rule.id].rpartition(":")
    return Fault(path, int(line), 0, f'rule "{rule.id}"', what, consequence, remedy)


def _complain(error: Any) -> None:
    print(error, file=sys.stderr)  # noqa: T201 - this is what the command prints


def _say(text: str) -> None:
    print(text)  # noqa: T201 - as above
