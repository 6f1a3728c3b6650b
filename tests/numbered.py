"""A rule that is read by sequence numbers, its events in indices of several shards, and executions of it."""

from __future__ import annotations

from collections import Counter
from typing import Any

from event_indices import MAPPING, iso
from lolbin_rules.execution.record import Execution, Status
from lolbin_rules.plan.coverage import Coverage
from lolbin_rules.plan.document import from_document
from lolbin_rules.store.port import Document, IndexTemplate, Key, Verdict
from watched import Watched, at

__all__ = ["DAY", "Numbered", "assert_good", "begun"]

DAY = 24 * 60
"""Minutes."""


class Numbered(Watched):
    """A rule that is read by sequence numbers, over indices of several shards."""

    def __post_init__(self) -> None:
        self.keys = {"coverage": "sequence", "index": [f"{self.world.prefix}many-*"], **self.keys}
        settings = {"number_of_shards": 3, "number_of_replicas": 0, "refresh_interval": "-1"}
        body = {"settings": settings, "mappings": MAPPING}
        name = f"{self.world.prefix}many-"
        assert self.world.store.prepare([IndexTemplate(name, (f"{name}*",), 1, body)])
        super().__post_init__()

    def name_of(self, index: str) -> str:
        """The whole name of an index."""
        return f"{self.world.prefix}many-{index}"

    def write(self, minutes: float | None, *names: str, index: str = "1", **more: Any) -> None:
        """Events that the rule matches; nothing makes them searchable yet. Without minutes they have no time."""
        source: dict[str, Any] = {"event": {"category": "network"}, "process": {"name": "regsvr32.exe"}, **more}
        if minutes is not None:
            source["@timestamp"] = iso(at(minutes))
        documents = [Document(Key(self.name_of(index), name), source) for name in names]
        assert {outcome.verdict for outcome in self.world.store.create(documents)} == {Verdict.CREATED}

    def state(self) -> Coverage:
        """What is stored of the rule."""
        (found,) = self.world.store.get([Key(f"{self.world.written}-coverage", "live")])
        assert found is not None
        return from_document(found.source)

    def read(self) -> dict[int, int]:
        """How far each shard was read, by number; of one index."""
        sequence = self.state().sequence
        assert sequence is not None
        return {key.number: cursor.next for key, cursor in sequence.cursors.items()}


def assert_good(execution: Execution) -> None:
    """Everything was read, by numbers."""
    assert (execution.status, execution.mode, execution.reason) == (Status.SUCCEEDED, "sequence", "")


def begun(numbered: Numbered) -> Numbered:
    """The same, after it ran once over nothing but an old event and a new one."""
    numbered.write(-2 * DAY, "before the beginning")
    numbered.write(-3, "first")
    assert_good(numbered.tick(0))
    assert numbered.alerted() == Counter(["first"])
    return numbered
