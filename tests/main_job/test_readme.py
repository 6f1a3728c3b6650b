"""What the README tells people to type works as it says."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml

import generated_events as events
from event_indices import index_events, map_indices, stored
from lolbin_rules.cli import main
from lolbin_rules.query.eql.nodes import SequenceQuery
from lolbin_rules.query.eql.syntax import parse_eql
from lolbin_rules.rule.model import Rule
from worlds import World

LONG_RUNNING = {"run"}


@pytest.fixture
def readme(pytestconfig: pytest.Config) -> str:
    """The text of the README."""
    return (pytestconfig.rootpath / "README.md").read_text()


def commands(text: str) -> list[list[str]]:
    """The `lolbin-rules` commands of the README's shell blocks."""
    blocks = re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("lolbin-rules ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


def test_every_command_works_as_written(
    readme: str, world: World, environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each one, in order, with one event to find in the store and in files, succeeds; the span is alerted once."""
    for name, value in world.variables.items():
        environment.setenv(name, value)
    environment.chdir(tmp_path)
    made = events.burst("regsvr32", seed=1, at=datetime(2020, 7, 22, 3, 28, tzinfo=UTC), size=1)
    (event,) = made.events
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "events.ndjson").write_bytes(orjson.dumps(event.source))
    (tmp_path / "event.json").write_bytes(orjson.dumps(event.source))
    assert main(["setup"]) == 0
    index = f"winlogbeat-{world.prefix}readme"
    if "ELASTICSEARCH_URL" in world.variables:  # the embedded store has a template for such indices, as Winlogbeat has
        map_indices(world.store, index)
    try:
        index_events(world.store, [(index, event.id, event.source)])
        asked = [arguments for arguments in commands(readme) if arguments[0] not in LONG_RUNNING]
        expected = {"check", "preview", "setup", "once", "hunt", "coverage", "lookback"}
        assert expected == {arguments[0] for arguments in asked}
        for arguments in asked:
            # Nobody can write EVTX files but Windows.
            assert main([each for each in arguments if not each.endswith(".evtx")]) == 0, arguments
    finally:
        world.remove(index)
    alerts = stored(world.store, f"{world.written}-alerts")
    assert [alert["kibana.alert.ancestors"][0]["id"] for alert in alerts] == [event.id]


def test_the_rules_shown_are_rules(readme: str) -> None:
    """The annotated example loads; the other one does in place of its logic."""
    text, other = re.findall(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    keys = yaml.safe_load(text)
    assert Rule.model_validate(keys).id == "network-connection-via-regsvr32"
    about = {name: value for name, value in keys.items() if name not in {"match", "exclude"}}
    assert isinstance(parse_eql(Rule.model_validate({**about, **yaml.safe_load(other)}).query or ""), SequenceQuery)


def test_every_field_of_a_rule_is_explained(pytestconfig: pytest.Config) -> None:
    """No field of the model is missing from the page about rules."""
    page = (pytestconfig.rootpath / "docs" / "rules.md").read_text()
    assert not {name for name in Rule.model_fields if f"`{name}`" not in page}
