"""What `preview` prints: a rule's query, the alerts that it would raise, and why an event is or is not one of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from lolbin_rules.alert import fields
from lolbin_rules.errors import SettingsError
from lolbin_rules.execution.fields import fitted
from lolbin_rules.execution.preview import Preview
from lolbin_rules.execution.progress import Course
from lolbin_rules.opening import open_embedded
from lolbin_rules.plan.window import position
from lolbin_rules.query.rule_query import NO_TYPES, Given
from lolbin_rules.rule.model import Rule
from lolbin_rules.rule.ruleset import RuleSet
from lolbin_rules.rule_types import RULE_TYPES
from lolbin_rules.store.port import UNMAPPED, Document, FieldTypes, Key, Query, Store

__all__ = ["event_of", "explanation", "query_of", "show"]

EVENT = "event"
ECS = frozenset({"an index with the fields of ECS"})


def query_of(rule: Rule, ruleset: RuleSet, store: Store | None, now: datetime) -> Query | None:
    """The rule's query for the indices of a store, or, without one, for fields typed as ECS has them.

    What stands in the way is printed to stderr; None where there is no query.
    """
    if store is None:
        _complain("No store is named: the query is made for fields typed as ECS has them.")
        given = Given(ruleset.lists, ruleset.exceptions_of(rule.id), NO_TYPES, now)
        types = _ecs_types(RULE_TYPES[rule.type].fields(rule, given))
        return RULE_TYPES[rule.type].compile(rule, replace(given, types=types)).query
    course = _fitted(rule, ruleset, store, now)
    return course.query if course.compiled else None


def _ecs_types(names: Iterable[str]) -> FieldTypes:
    """How an index of Winlogbeat or of Elastic's agents maps fields; what those do not have is left open."""
    from lolbin_rules.dsl.mapping import IndexMapping  # noqa: PLC0415 - nothing else here needs the kernel
    from lolbin_rules.importers.event_templates import event_templates  # noqa: PLC0415 - as above

    body = event_templates()[-1].body
    mapping = IndexMapping(body["mappings"], body["settings"])
    meant = {each for name in names for each in (mapping.names_matching(name) if "*" in name else [name])}
    types = {name: mapping.types(name) for name in meant}
    return FieldTypes(types={name: {kind: ECS} for name, kind in types.items() if kind != UNMAPPED})


def _fitted(rule: Rule, ruleset: RuleSet, store: Store, now: datetime) -> Course:
    (course,) = fitted([rule], now, ruleset.lists, ruleset.exceptions_by_rule, store)
    for sentence in course.tally.failures + course.tally.problems + course.tally.warnings:
        _complain(sentence)
    return course


def show(found: Preview, *, as_json: bool) -> bool:
    """Print the alerts and what is to be known of them; whether nothing stood in the way."""
    tally = found.course.tally
    for alert in found.alerts.values():
        if as_json:
            _say(orjson.dumps({"_id": alert[fields.UUID], **alert}, option=orjson.OPT_NON_STR_KEYS).decode())
        elif fields.GROUP_INDEX not in alert:  # the events of a sequence are told by its own alert
            _say(f"{alert.get(fields.ORIGINAL_TIME, 'no time')}  {alert[fields.REASON]}")
    for sentence in tally.failures + tally.problems + tally.warnings:
        _complain(sentence)
    shown = f", the first {found.most} shown" if found.most < len(found.ids) else ""
    if not as_json:
        _say(f"{found.hits} hits would raise {len(found.ids)} alerts{shown}; nothing was written.")
    elif shown:
        _complain(f"{found.hits} hits would raise {len(found.ids)} alerts{shown}.")
    return not (tally.failures or tally.problems)


def event_of(named: str, store: Store | None) -> tuple[str, Mapping[str, Any]]:
    """The event that is named: a file with one JSON document, or INDEX/ID in the store; with its index, if known.

    Raises:
        SettingsError: there is no such event.
    """
    path = Path(named)
    if path.is_file():
        try:
            source = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as error:
            raise SettingsError(
                f"{path} cannot be read as JSON: {error}. Put one event as a JSON object in it."
            ) from error
        if not isinstance(source, dict):
            raise SettingsError(f"{path} holds no JSON object. Put one event as a JSON object in it.")
        inner = source.get("_source")
        if isinstance(inner, dict):  # a hit, as Elasticsearch prints it
            return str(source.get("_index", "")), inner
        return "", source
    index, slash, name = named.partition("/")
    if store is None or not slash:
        raise SettingsError(
            f"{named} is no file. Name a file with one event as JSON, or INDEX/ID of an event along with --store."
        )
    (stored,) = store.get([Key(index, name)])
    if stored is None:
        raise SettingsError(f"There is no event {name} in index {index}. Name its concrete index and its id.")
    return index, stored.source


def explanation(rule: Rule, ruleset: RuleSet, event: tuple[str, Mapping[str, Any]], now: datetime) -> Iterator[str]:
    """Which clauses of the rule an event meets and which it fails, as lines.

    The event is taken as an index of Winlogbeat or of Elastic's agents maps it, whichever its own index is named like.

    Raises:
        SettingsError: the event is none that such an index would take.
    """
    from lolbin_rules.dsl.explain import explain, explained_lines  # noqa: PLC0415 - nothing else here needs the kernel
    from lolbin_rules.dsl.indexer import Indexer, Malformed  # noqa: PLC0415 - as above
    from lolbin_rules.dsl.mapping import IndexMapping  # noqa: PLC0415 - as above
    from lolbin_rules.importers.event_templates import event_templates  # noqa: PLC0415 - as above

    index, source = event[0] or _index_for(rule), event[1]
    template = next(
        each for each in event_templates([index]) if any(fnmatchcase(index, pattern) for pattern in each.patterns)
    )
    mapping = IndexMapping(template.body["mappings"], template.body["settings"])
    try:
        Indexer(mapping).check(source)
    except Malformed as error:
        raise SettingsError(f"The event cannot be explained, as no index would take it: {error}.") from error
    with (
        TemporaryDirectory(prefix="lolbin-rules-") as folder,
        open_embedded(Path(folder), lambda: now, is_durable=False, indices=[index]) as opened,
    ):
        opened.create([Document(Key(index, EVENT), source)])
        course = _fitted(rule.model_copy(update={"index": (index,)}), ruleset, opened, now)
    compiled = course.compiled
    if compiled is None:
        return
    stages = [stage.event for stage in compiled.plan.stages] if compiled.plan else [compiled]
    for number, stage in enumerate(stages, 1):
        if compiled.plan:
            yield f"Item {number} of the sequence:"
        yield from explained_lines(explain(stage.query, mapping, source, position(now)))
        if stage.keeps is not None:
            verdict = "met   " if stage.keeps(source) else "FAILED"
            yield f"{verdict} what Query DSL cannot say: {stage.keeps.text}"


def _index_for(rule: Rule) -> str:
    """An index like those that the rule reads."""
    name = rule.index[0] if rule.index else "winlogbeat-*"
    return name.replace("*", "explained").lower()


def _complain(error: object) -> None:
    print(error, file=sys.stderr)  # noqa: T201 - this is what the command prints


def _say(text: str) -> None:
    print(text)  # noqa: T201 - as above
