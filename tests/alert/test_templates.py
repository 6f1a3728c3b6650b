"""Every name that is written is mapped, every index has exactly one template, and the old names lead to the new."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from alert.alert_cases import CONTEXT, KEY, REACHED_OUT, field_names, hit, make_rule, mapped_fields
from lolbin_rules.alert import fields
from lolbin_rules.alert.build import Told, build_alert, build_blocks, build_group_alert, dead_letter
from lolbin_rules.alert.identity import Identity, alert_index, suppressed_index
from lolbin_rules.alert.suppression import member
from lolbin_rules.alert.templates import VERSION, mapping, templates
from lolbin_rules.store.port import Key

KINDS = ("alerts", "suppressed", "executions", "coverage", "dead-letters", "certificates", "leases")
CONTAINERS = {fields.ANCESTORS, fields.ORIGINAL_EVENT, fields.ORIGINAL_DATA_STREAM, fields.SUPPRESSION_TERMS}
CONTAINERS |= {fields.RULE_THREAT, fields.EVENT, fields.THRESHOLD_RESULT}
PAGE = "https://attack.mitre.org"
THREAT = {
    "tactic": {"id": "TA0005", "name": "Defense Evasion", "reference": f"{PAGE}/tactics/TA0005/"},
    "technique": [
        {
            "id": "T1218",
            "name": "System Binary Proxy Execution",
            "reference": f"{PAGE}/techniques/T1218/",
            "subtechnique": [{"id": "T1218.010", "name": "Regsvr32", "reference": f"{PAGE}/techniques/T1218/010/"}],
        }
    ],
}
RULE = make_rule(
    threat=[THREAT],
    suppression={"group_by": ["host.name", "user.id"]},
    tags=["a"],
    references=["b"],
    false_positives=["c"],
)
STREAM = {"data_stream": {"type": "logs", "dataset": "x", "namespace": "default"}, "process.pid.odd": 1}
IDENTITY = Identity(("threshold", 1, [["a", "b"]]))
RESULT = {
    "terms": [{"field": "host.name", "value": "a"}],
    "cardinality": [{"field": "user.name", "value": 3}],
    "count": 7,
    "from": "2026-11-22T05:10:00.000Z",
}
ENRICHMENT = {
    "indicator": {"ip": "93.184.216.34", "x_other": {"a": 1}},
    "feed": {"name": "feed"},
    "matched": dict.fromkeys(("atomic", "field", "id", "index", "type"), "x"),
}
EVENT_FIELDS = (
    "action",
    "category",
    "code",
    "dataset",
    "hash",
    "id",
    "kind",
    "module",
    "original",
    "outcome",
    "provider",
    "reason",
    "reference",
    "timezone",
    "type",
    "url",
    "agent_id_status",
    "created",
    "end",
    "ingested",
    "start",
    "duration",
    "sequence",
    "severity",
    "risk_score",
    "risk_score_norm",
)


def _alerts() -> list[Mapping[str, Any]]:
    first = {**REACHED_OUT, **STREAM, "event": dict.fromkeys(EVENT_FIELDS, "x")}
    of = member(RULE, hit(first), prefix="p", context=CONTEXT)
    assert of is not None
    group = build_group_alert(RULE, hit(first), of, context=replace(CONTEXT, is_sweep=True)).source
    second = build_alert(
        make_rule(id="second"), hit(group, Key("p-alerts-2026.11", "a")), alert_id="b", context=CONTEXT
    )
    return [group, second.source, *_of_several_events()]


def _of_several_events() -> list[Mapping[str, Any]]:
    """An alert for each way to stand for more than one event, or for what an event has in common with others."""
    parts = [
        Told({f"{fields.THRESHOLD_RESULT}.{name}": value for name, value in RESULT.items()}, IDENTITY),
        Told({fields.NEW_TERMS: ["a"]}, IDENTITY),
        Told({"threat.enrichments": [ENRICHMENT]}),
        Told(identity=IDENTITY, events=(hit(REACHED_OUT),)),
    ]
    told = [build_alert(RULE, hit(REACHED_OUT), alert_id="c", context=CONTEXT, told=one).source for one in parts]
    return [*told, *(block.source for block in build_blocks(RULE, [hit(REACHED_OUT)], group="c", context=CONTEXT))]


def _ours(names: set[str]) -> set[str]:
    return {name for name in names if name.split(".")[0] in {"kibana", "lolbin", "@timestamp"}}


def _is_mapped(name: str, mapped: Mapping[str, Mapping[str, Any]]) -> bool:
    """By itself, as an object of mapped fields, or by a flattened or disabled object that it lies in."""
    spec = next((mapped[above] for above in _above(name) if above in mapped), None)
    if any(below.startswith(f"{name}.") for below in mapped):
        return True
    return spec is not None and (spec is mapped.get(name) or spec["type"] in {"flattened", "object"})


def _above(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def test_what_is_written_is_mapped() -> None:
    """Every `kibana.*` and `lolbin.*` name of alerts that have all of them."""
    mapped = mapped_fields(mapping("alerts"))
    written = {name for alert in _alerts() for name in field_names(alert)}
    assert not {name for name in _ours(written) if not _is_mapped(name, mapped)}


def test_every_name_is_written_and_mapped() -> None:
    """No constant names a field that no alert has or that the mapping does not know."""
    mapped = mapped_fields(mapping("alerts"))
    named = {value for name, value in vars(fields).items() if name.isupper() and isinstance(value, str)}
    named = {name for name in named if not name.startswith("signal.")}
    assert not {name for name in named - CONTAINERS if name not in mapped}
    written = {name for alert in _alerts() for key in field_names(alert) for name in _above(key)}
    assert named <= written


def test_what_was_matched_with_an_event_is_mapped() -> None:
    """Names that are not ours, but that only a rule of type `threat_match` writes."""
    mapped = mapped_fields(mapping("alerts"))
    written = {name for alert in _alerts() for name in field_names(alert) if name.startswith("threat.enrichments.")}
    assert len(written) == 8
    assert not {name for name in written if not _is_mapped(name, mapped)}


def test_what_else_is_written_is_mapped() -> None:
    """Memberships and dead letters, whole."""
    of = member(RULE, hit(REACHED_OUT), prefix="p", context=CONTEXT, identity=IDENTITY)
    assert of is not None
    letter = dead_letter(_alerts()[0], "why")
    for kind, document in (("suppressed", of.document.source), ("dead-letters", letter)):
        mapped = mapped_fields(mapping(kind))
        assert not {name for name in field_names(document) if name not in mapped}


def test_old_names_lead_to_fields_that_exist() -> None:
    """Each `signal.*` is an alias, of the same name but for the four that moved."""
    mapped = mapped_fields(mapping("alerts"))
    aliases = {name: spec["path"] for name, spec in mapped.items() if spec["type"] == "alias"}
    moved = {
        "signal.status": "kibana.alert.workflow_status",
        "signal.rule.id": "kibana.alert.rule.uuid",
        "signal.rule.severity": "kibana.alert.severity",
        "signal.rule.risk_score": "kibana.alert.risk_score",
    }
    assert aliases.keys() == {name for name in mapped if name.startswith("signal.")}
    assert len(aliases) > 70
    for name, target in aliases.items():
        assert target == moved.get(name, name.replace("signal.", "kibana.alert.", 1))
        assert mapped[target]["type"] not in {"alias", "object"}


def test_every_index_has_one_template() -> None:
    """Whatever is written finds its template and no other."""
    patterns = [pattern for template in templates("lolbin") for pattern in template.patterns]
    assert len(patterns) == len(set(patterns)) == len(KINDS)
    written = [
        *(alert_index("lolbin", source) for source in (REACHED_OUT, {})),
        *(suppressed_index("lolbin", source) for source in (REACHED_OUT, {})),
        *(
            "lolbin-executions-2026.11",
            "lolbin-coverage",
            "lolbin-dead-letters",
            "lolbin-certificates",
            "lolbin-leases",
        ),
    ]
    for index in written:
        assert len([pattern for pattern in patterns if fnmatchcase(index, pattern)]) == 1


def test_months_are_read_through_an_alias() -> None:
    """Which is named as the index without the month, and is no index that a template makes."""
    for template in templates("p"):
        is_monthly = template.patterns[0].endswith("-*")
        assert list(template.body.get("aliases", {})) == ([template.name] if is_monthly else [])
        assert template.patterns[0] == template.name + ("-*" if is_monthly else "")
        assert template.version == VERSION
        assert json.dumps(template.body)


@pytest.mark.parametrize("kind", KINDS)
def test_no_document_can_change_a_mapping(kind: str) -> None:
    """Unknown fields are stored and not looked at, and faulty values cost no document."""
    body = {template.name: template.body for template in templates("p")}[f"p-{kind}"]
    assert body["mappings"]["dynamic"] is False
    assert body["settings"]["index"]["mapping"]["ignore_malformed"] is True
    assert body["settings"]["index"]["auto_expand_replicas"] == "0-1"
    limit = body["settings"]["index"]["mapping"].get("total_fields", {}).get("limit", 1000)
    assert 2 * len(mapped_fields(mapping(kind))) < limit


@pytest.mark.parametrize("kind", KINDS)
def test_no_value_is_too_long_for_its_field(kind: str) -> None:
    """A keyword that may hold any text says from which length on it is not indexed: Lucene takes 32,766 bytes."""
    for name, spec in mapped_fields(mapping(kind)).items():
        for kept in (spec, *spec.get("fields", {}).values()):
            if kept["type"] in {"keyword", "flattened"} and kept.get("index", True):
                assert kept["ignore_above"] <= 32_766 // 4, name


def test_events_are_mapped_as_their_shippers_map_them() -> None:
    """Some that rules over alerts ask for."""
    mapped = mapped_fields(mapping("alerts"))
    types = {
        "destination.ip": "ip",
        "process.pid": "long",
        "process.parent.command_line": "keyword",
        "process.code_signature.trusted": "boolean",
        "event.ingested": "date",
        "host.os.type": "keyword",
        "winlog.event_data": "flattened",
        "file.hash.sha256": "keyword",
        "destination.geo.location": "geo_point",
        "dns.question.name": "keyword",
    }
    assert {name: mapped[name]["type"] for name in types} == types
    assert mapped["process.command_line"]["fields"]["text"]["type"] == "text"
    assert KEY.index.startswith(".ds-")
