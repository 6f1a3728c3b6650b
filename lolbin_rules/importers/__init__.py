"""Events from files: NDJSON and Windows event logs become documents as Elasticsearch would hold them.

`event_files` finds the files, `read_events` reads them, `event_templates` says how the indices they go to are mapped.
What cannot be read is told by place and reason (`Broken`); it never takes anything else with it.
"""

from __future__ import annotations

from lolbin_rules.importers.event import Broken, Event
from lolbin_rules.importers.event_files import event_files, read_events, total_bytes
from lolbin_rules.importers.event_templates import event_templates

__all__ = ["Broken", "Event", "event_files", "event_templates", "read_events", "total_bytes"]
