"""The form in which a coverage is stored: one document per rule, made to outlive this version.

::

    {
      "format": 1,
      "rule_id": "network-connection-via-regsvr32",
      "axes": {
        "event_time": {
          "asked":    [{"start": "2026-11-02T08:51:00.000Z", "end": null}],
          "logic":    {"fingerprint": "9f2c...", "since": "2026-11-02T08:51:00.000Z"},
          "history":  [{"fingerprint": "07aa...", "since": "...", "until": "..."}],
          "searched": [{"start": "...", "end": "...", "searched_at": "...", "lag_ms": 240000, "logic": "9f2c..."}],
          "deferred": [{"start": "...", "end": "...", "deferred_at": "..."}],
          "reopened": [{"start": "...", "end": "...", "deferred_at": "..."}],
          "indices":  {...}
        },
        "sequence": {...}
      }
    }

`sequence` is there for rules that were read by sequence numbers; see `sequence_document`. `reopened` is there where
there is anything in it, `indices` where it is known which there were; see `indices_document`.

What may change without a new format number: keys beside these, at the top, in `axes` and in an axis; a version that
does not know them writes them back as they were. The keys *of a span* are part of the format. A span with a key more
would mean something else to whoever does not know the key, and what becomes of the key when spans are cut and joined,
only its inventor knows; so an unknown one is refused like an unknown format.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from lolbin_rules.plan.coverage import Coverage, Deferred
from lolbin_rules.plan.indices_document import indices_from, indices_to
from lolbin_rules.plan.logic import Logic, Logics
from lolbin_rules.plan.searched import Searched
from lolbin_rules.plan.sequence_document import SEQUENCE, sequence_from, sequence_to
from lolbin_rules.plan.window import FOREVER, MILLISECOND, Spans, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["FORMAT", "from_document", "to_document"]

FORMAT = 1
AXIS = "event_time"
INDICES = "indices"
OURS = frozenset({"asked", "logic", "history", "searched", "deferred", "reopened", INDICES})


def to_document(coverage: Coverage) -> dict[str, Any]:
    """The coverage as JSON-able values."""
    rest = copy.deepcopy(dict(coverage.rest))
    axes = rest.pop("axes", {})
    axes[AXIS] = {**axes.get(AXIS, {}), **_axis(coverage), **_met(coverage)}
    if coverage.sequence is not None:
        axes[SEQUENCE] = sequence_to(coverage.sequence, _text)
    return {**rest, "format": FORMAT, "rule_id": coverage.rule_id, "axes": axes}


def from_document(document: Mapping[str, Any]) -> Coverage:
    """The coverage that was stored as `document`.

    `ValueError`, with a remedy, if it is of another format or does not hold what this format promises: guessing here
    would be certifying what nobody searched.
    """
    if document.get("format") != FORMAT:
        raise ValueError(
            f"coverage of rule {document.get('rule_id')!r} has format {document.get('format')!r}, this version reads "
            f"{FORMAT}; the rule is not run, lest its coverage be overwritten. Upgrade lolbin-rules on this runner"
        )
    try:
        return _coverage(document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(
            f"coverage of rule {document.get('rule_id')!r} is damaged: {type(error).__name__}: {error}; the rule is "
            "not run, lest its coverage be overwritten. Restore the document, or delete it to begin the rule anew"
        ) from error


def _axis(coverage: Coverage) -> dict[str, Any]:
    return {
        "asked": [_span(window) for window in coverage.asked],
        "logic": _logic(coverage.logics.current),
        "history": [
            {**_logic(logic), "until": _text(successor.since)} for logic, successor in pairwise(coverage.logics.all)
        ],
        "searched": [
            {
                **_span(stretch.window),
                "searched_at": _text(stretch.searched_at),
                "lag_ms": stretch.lag // MILLISECOND,
                "logic": stretch.logic,
            }
            for stretch in coverage.searched
        ],
        "deferred": _deferred(coverage.deferred),
    }


def _met(coverage: Coverage) -> dict[str, Any]:
    reopened = {"reopened": _deferred(coverage.reopened)} if coverage.reopened else {}
    return reopened if coverage.indices is None else {**reopened, INDICES: indices_to(coverage.indices, _text)}


def _deferred(stretches: Iterable[Deferred]) -> list[dict[str, Any]]:
    return [{**_span(stretch.window), "deferred_at": _text(stretch.deferred_at)} for stretch in stretches]


def _span(window: Window) -> dict[str, Any]:
    return {"start": _text(window.start), "end": None if window.is_open else _text(window.end)}


def _logic(logic: Logic) -> dict[str, Any]:
    return {"fingerprint": logic.fingerprint, "since": _text(logic.since)}


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _coverage(document: Mapping[str, Any]) -> Coverage:
    axis = document["axes"][AXIS]
    return Coverage(
        rule_id=_string(document["rule_id"]),
        logics=_read_logics(axis),
        asked=Spans(tuple(_read_asked(**span) for span in axis["asked"])),
        searched=tuple(_disjoint([_read_searched(**span) for span in axis["searched"]])),
        deferred=tuple(_disjoint([_read_deferred(**span) for span in axis["deferred"]])),
        rest=_rest(document),
        sequence=sequence_from(document["axes"][SEQUENCE], _moment) if SEQUENCE in document["axes"] else None,
        indices=indices_from(axis[INDICES], _moment) if INDICES in axis else None,
        reopened=tuple(_disjoint([_read_deferred(**span) for span in axis.get("reopened", ())])),
    )


def _rest(document: Mapping[str, Any]) -> dict[str, Any]:
    """What this version does not know, in the places where it was found; empty if it knows everything."""
    rest = {key: value for key, value in document.items() if key not in {"format", "rule_id", "axes"}}
    axes = {name: axis for name, axis in document["axes"].items() if name not in {AXIS, SEQUENCE}}
    unknown = {key: value for key, value in document["axes"][AXIS].items() if key not in OURS}
    if unknown:
        axes[AXIS] = unknown
    if axes:
        rest["axes"] = axes
    return copy.deepcopy(rest)


def _read_logics(axis: Mapping[str, Any]) -> Logics:
    logics = Logics(_read_logic(**axis["logic"]), tuple(_read_logic(**logic) for logic in axis["history"]))
    if any(successor.since < logic.since for logic, successor in pairwise(logics.all)):
        raise ValueError("the history of the logic is not in order")
    return logics


def _read_logic(fingerprint: str, since: str, until: str | None = None) -> Logic:
    """`until` is written for the reader's eye; it is the `since` of the next."""
    del until
    return Logic(_string(fingerprint), _moment(since))


def _read_asked(start: str, end: str | None) -> Window:
    return Window(_moment(start), FOREVER if end is None else _moment(end))


def _read_searched(start: str, end: str, searched_at: str, lag_ms: int, logic: str) -> Searched:
    window, moment, lag = Window(_moment(start), _moment(end)), _moment(searched_at), int(lag_ms) * MILLISECOND
    if lag < max(moment - window.end, timedelta()):
        raise ValueError(f"{window}, searched at {searched_at}, cannot have a lag of {lag_ms} ms")
    return Searched(window, moment, lag, _string(logic))


def _read_deferred(start: str, end: str, deferred_at: str) -> Deferred:
    return Deferred(Window(_moment(start), _moment(end)), _moment(deferred_at))


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return Window(moment, FOREVER).start


def _disjoint(stretches: list[Any]) -> Iterable[Any]:
    for one, other in pairwise(stretches):
        if other.window.start < one.window.end:
            raise ValueError(f"{one.window} and {other.window} overlap or are not in order")
    return stretches
