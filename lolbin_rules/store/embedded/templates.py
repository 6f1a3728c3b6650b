"""Index templates, and the indices that are made after them."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import orjson

from lolbin_rules.dsl.mapping import IndexMapping
from lolbin_rules.errors import StoreRejected, Unsupported
from lolbin_rules.store.embedded.catalog import setting
from lolbin_rules.store.embedded.names import check_index_name, is_match, is_overlap
from lolbin_rules.store.port import IndexTemplate

__all__ = ["make_index", "outdated", "put_template"]

_MOST_SHARDS = 1024


def outdated(connection: sqlite3.Connection, templates: Sequence[IndexTemplate]) -> list[IndexTemplate]:
    """Those of the templates that are not in place in this or a later version."""
    installed = dict(connection.execute("SELECT name, version FROM templates"))
    return [each for each in templates if installed.get(each.name, -1) < each.version]


def put_template(connection: sqlite3.Connection, template: IndexTemplate) -> None:
    """Put a template in place.

    Raises:
        StoreRejected: Elasticsearch would refuse it: its mapping, its settings, or its patterns, where another template
            has patterns for the same names (all of ours have the same priority).
        Unsupported: it asks for something that cannot be done exactly.
    """
    for other, patterns in connection.execute("SELECT name, patterns FROM templates ORDER BY name"):
        shared = [
            (mine, theirs)
            for mine in template.patterns
            for theirs in orjson.loads(patterns)
            if other != template.name and is_overlap(mine, theirs)
        ]
        if shared:
            mine, theirs = shared[0]
            raise StoreRejected(
                f'The index template "{template.name}" is for {mine}, which meets {theirs} of the template "{other}": '
                "an index could follow either. Give them patterns that do not meet."
            )
    try:
        _understand(template.body)
    except StoreRejected as error:
        raise type(error)(f'The index template "{template.name}" cannot be put in place: {error}') from error
    connection.execute(
        "INSERT OR REPLACE INTO templates VALUES (?, ?, ?, ?)",
        (template.name, template.version, _text(template.patterns), _text(template.body)),
    )


def make_index(connection: sqlite3.Connection, name: str) -> int:
    """Make an index after the template for its name, or an empty one; its number.

    Raises:
        StoreRejected: Elasticsearch would refuse the name, or that of an alias.
    """
    check_index_name(name)
    found = [
        body
        for patterns, body in connection.execute("SELECT patterns, body FROM templates")
        if any(is_match(name, pattern) for pattern in orjson.loads(patterns))
    ]
    text = found[0] if found else "{}"
    shards = _understood(text)
    body = orjson.loads(text)
    for alias in body.get("aliases", {}):
        if connection.execute("SELECT 1 FROM indices WHERE name = ?", (alias,)).fetchone():
            raise StoreRejected(f'"{name}" cannot be made: its alias "{alias}" is the name of an index. Rename one.')
    row = (name, uuid.uuid4().hex, *(_text(body.get(part, {})) for part in ("mappings", "settings", "aliases")))
    cursor = connection.execute(
        "INSERT INTO indices(name, uuid, version, mappings, settings, aliases, next_row, bytes, stamp) "
        "VALUES (?, ?, 0, ?, ?, ?, 0, 0, 0)",
        row,
    )
    index_id = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO shards VALUES (?, ?, ?, 0)", [(index_id, number, uuid.uuid4().hex) for number in range(shards)]
    )
    return index_id


@lru_cache(maxsize=16)
def _understood(body: str) -> int:
    """As `_understand`: indices that are made after one template need not wait for it each."""
    return _understand(orjson.loads(body))


def _understand(body: Mapping[str, Any]) -> int:
    """Check the `template` part of a template; how many shards it asks for."""
    settings = body.get("settings", {})
    IndexMapping(body.get("mappings", {}), settings)
    for alias, more in body.get("aliases", {}).items():
        check_index_name(alias)
        if more:
            raise Unsupported(
                f'its alias "{alias}" has {", ".join(sorted(more))}, which the embedded store has not. Leave it empty.'
            )
    asked = setting(settings, "number_of_shards")
    shards = 1 if asked is None else int(asked)
    if not 1 <= shards <= _MOST_SHARDS:
        raise StoreRejected(f"index.number_of_shards is {asked}. Ask for 1 to {_MOST_SHARDS}.")
    return shards


def _text(value: Any) -> str:
    return orjson.dumps(value, default=_plain).decode()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no form in JSON")
