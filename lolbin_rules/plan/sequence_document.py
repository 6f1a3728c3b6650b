"""The form in which the axis of sequence numbers is stored, beside that of event time in one document.

::

    "sequence": {
      "logic": "9f2c...",
      "since": "2026-11-02T08:51:00.000Z",
      "whole_at": "2026-11-02T09:00:00.000Z",
      "passed_over": [{"start": "2026-11-02T09:05:00.000Z", "end": "2026-11-02T10:00:00.000Z"}],
      "shards": [{"index": "<uuid>", "history": "<uuid>", "shard": 0, "next": 4711, "left": [17], "read_at": "..."}]
    }

`left` and `passed_over` are there only where something was, `whole_at` only once every shard was read to its end. Keys
beside these may come in the axis, not in a shard: the same rule as for event time.
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from lolbin_rules.plan.sequence import Cursor, Sequence, ShardKey
from lolbin_rules.plan.window import DAWN, Spans, Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["SEQUENCE", "sequence_from", "sequence_to"]

SEQUENCE = "sequence"
OURS = frozenset({"logic", "since", "whole_at", "passed_over", "shards"})


def sequence_to(sequence: Sequence, write: Callable[[datetime], str]) -> dict[str, Any]:
    """The axis as JSON-able values."""
    whole_at = {} if sequence.whole_at is None else {"whole_at": write(sequence.whole_at)}
    passed_over = [{"start": write(window.start), "end": write(window.end)} for window in sequence.passed_over]
    return {
        **copy.deepcopy(dict(sequence.rest)),
        "logic": sequence.logic,
        "since": write(sequence.since),
        **whole_at,
        **({"passed_over": passed_over} if passed_over else {}),
        "shards": [_shard(key, cursor, write) for key, cursor in sorted(sequence.cursors.items(), key=_key)],
    }


def sequence_from(axis: Mapping[str, Any], read: Callable[[str], datetime]) -> Sequence:
    """The axis that was stored; `KeyError`, `TypeError` or `ValueError` where it is damaged."""
    cursors = dict(_read_shard(read, **shard) for shard in axis["shards"])
    if len(cursors) < len(axis["shards"]):
        raise ValueError("a shard is there twice")
    passed_over = (Window(read(each["start"]), read(each["end"])) for each in axis.get("passed_over", ()))
    return Sequence(
        logic=str(axis["logic"]),
        since=read(axis["since"]),
        cursors=cursors,
        whole_at=read(axis["whole_at"]) if "whole_at" in axis else None,
        passed_over=Spans(tuple(passed_over)),
        rest=copy.deepcopy({key: value for key, value in axis.items() if key not in OURS}),
    )


def _key(item: tuple[ShardKey, Cursor]) -> ShardKey:
    return item[0]


def _shard(key: ShardKey, cursor: Cursor, write: Callable[[datetime], str]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "index": key.index_uuid,
        "history": key.history_uuid,
        "shard": key.number,
        "next": cursor.next,
    }
    if cursor.left:
        found["left"] = sorted(cursor.left)
    if cursor.read_at != DAWN:
        found["read_at"] = write(cursor.read_at)
    return found


def _read_shard(
    read: Callable[[str], datetime],
    *,
    index: str,
    history: str,
    shard: int,
    next: int,  # noqa: A002 - as above
    left: list[int] | None = None,
    read_at: str | None = None,
) -> tuple[ShardKey, Cursor]:
    moment = DAWN if read_at is None else read(read_at)
    return ShardKey(str(index), str(history), int(shard)), Cursor(int(next), frozenset(map(int, left or ())), moment)
