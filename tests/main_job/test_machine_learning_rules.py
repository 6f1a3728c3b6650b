"""Rules of type `machine_learning` in a store: one alert for each anomaly with a high enough score."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from counted_world import at
from event_indices import index_events, iso, map_indices, stored
from lolbin_rules.alert.templates import templates
from lolbin_rules.execution.record import Status
from lolbin_rules.execution.run import Orders, execute
from lolbin_rules.rule.load import read
from worlds import KINDS, World, open_world
from written_rules import write_rule

world = pytest.fixture(params=KINDS)(open_world)

MAPPING: dict[str, Any] = {
    "properties": {
        "timestamp": {"type": "date"},
        "job_id": {"type": "keyword"},
        "result_type": {"type": "keyword"},
        "is_interim": {"type": "boolean"},
        "record_score": {"type": "double"},
    }
}
RECORD = {"job_id": "rare_process", "result_type": "record", "is_interim": False, "record_score": 80.5}
OTHERS: list[dict[str, Any]] = [
    {**RECORD, "record_score": 74.999},
    {**RECORD, "job_id": "another_job"},
    {**RECORD, "is_interim": True},
    {**RECORD, "result_type": "bucket"},
]


def test_every_anomaly_with_a_high_enough_score_has_one_alert(world: World, tmp_path: Path) -> None:
    """Of the rule's jobs, and none that is interim or another kind of result. Anomalies have no `@timestamp`."""
    index = f"{world.prefix}ml-anomalies-shared"
    world.store.prepare(templates(world.written))
    map_indices(world.store, index, mapping=MAPPING)
    anomalies: list[dict[str, Any]] = [RECORD, {**RECORD, "record_score": 75, "job_id": "rare_user"}, *OTHERS]
    dated = ({"timestamp": iso(at(1)), **one} for one in anomalies)
    index_events(world.store, [(index, str(number), one) for number, one in enumerate(dated)])
    jobs = ["rare_process", "rare_user"]
    kind: dict[str, Any] = {"type": "machine_learning", "anomaly_threshold": 75, "machine_learning_job_id": jobs}
    write_rule(tmp_path, "anomalies", **kind, match=None, index=[index])
    (rule,) = read((tmp_path,)).raise_if_faulty().rules.values()
    for minute in (5, 9):
        (execution,) = execute(Orders([rule], {}, at(minute), prefix=world.written), world.store)
        assert execution.status is Status.SUCCEEDED, execution.reason
    alerts = stored(world.store, f"{world.written}-alerts")
    assert sorted(alert["kibana.alert.ancestors"][0]["id"] for alert in alerts) == ["0", "1"]
    assert {alert["job_id"] for alert in alerts} == {*jobs}
    assert {alert["kibana.alert.original_time"] for alert in alerts} == {iso(at(1))}
    assert {alert["_index"] for alert in alerts} == {f"{world.written}-alerts-{at(1):%Y.%m}"}
