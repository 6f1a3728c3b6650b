"""The form in which it is stored which indices a rule's searches have met, in the axis of event time.

::

    "indices": {
      "of": ["winlogbeat-*"],
      "known": ["<what is known of an index>", "..."],
      "names": ["<what is known of its name>", "..."],
      "young": [{
        "index": "<what is known of it>", "noticed_at": "...", "quiet_since": "...",
        "start": "...", "recent_from": "...", "end": "...",
        "hours": [{"start": "...", "documents": 12}], "recent": 4, "older": 3
      }]
    }

`hours`, `recent` and `older` are what it held when something new was found in it last. Keys beside these are not kept:
what they would tell of an index, this version cannot bring up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lolbin_rules.plan.indices import Bounds, Indices, Look, Young

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

__all__ = ["indices_from", "indices_to"]


def indices_to(indices: Indices, write: Callable[[datetime], str]) -> dict[str, Any]:
    """The indices as JSON-able values."""
    return {
        "of": list(indices.of),
        "known": sorted(indices.known),
        "names": sorted(indices.names),
        "young": [
            {
                "index": name,
                "noticed_at": write(young.noticed_at),
                "quiet_since": write(young.quiet_since),
                "start": write(young.look.bounds.start),
                "recent_from": write(young.look.bounds.recent),
                "end": write(young.look.bounds.end),
                "hours": [
                    {"start": write(hour), "documents": count} for hour, count in sorted(young.look.hours.items())
                ],
                "recent": young.look.recent,
                "older": young.look.older,
            }
            for name, young in sorted(indices.young.items())
        ],
    }


def indices_from(stored: Mapping[str, Any], read: Callable[[str], datetime]) -> Indices:
    """The indices that were stored; `KeyError`, `TypeError` or `ValueError` where it is damaged."""
    young = {}
    for each in stored["young"]:
        hours = {read(hour["start"]): int(hour["documents"]) for hour in each["hours"]}
        bounds = Bounds(read(each["start"]), read(each["recent_from"]), read(each["end"]))
        look = Look(bounds, hours, int(each["recent"]), int(each["older"]))
        young[str(each["index"])] = Young(read(each["noticed_at"]), read(each["quiet_since"]), look)
    known, names = (frozenset(map(str, stored[key])) for key in ("known", "names"))
    return Indices(tuple(map(str, stored["of"])), known, names, young)
