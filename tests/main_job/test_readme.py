"""What the README tells people to type works as it says."""

from __future__ import annotations

import re
import shlex
from datetime import UTC, datetime

import pytest
import yaml
from elasticsearch import Elasticsearch

import generated_events as events
from event_indices import create_index, index_events, stored
from lolbin_rules.cli import main
from lolbin_rules.rule.model import Rule

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
    readme: str, elasticsearch_url: str, index_prefix: str, client: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each one, in order, on a cluster with one event to find, succeeds; the span is alerted once."""
    monkeypatch.setenv("ELASTICSEARCH_URL", elasticsearch_url)
    monkeypatch.setenv("LOLBIN_PREFIX", f"{index_prefix}lolbin")
    made = events.burst("regsvr32", seed=1, at=datetime(2020, 7, 22, 3, 28, tzinfo=UTC), size=1)
    (event,) = made.events
    index = f"winlogbeat-{index_prefix}readme"
    create_index(client, index)
    try:
        index_events(client, [(index, event.id, event.source)])
        asked = [arguments for arguments in commands(readme) if arguments[0] not in LONG_RUNNING]
        assert {"check", "preview", "setup", "once"} == {arguments[0] for arguments in asked}
        for arguments in asked:
            assert main(arguments) == 0, arguments
    finally:
        client.indices.delete(index=index)
    alerts = stored(client, f"{index_prefix}lolbin-alerts")
    assert [alert["kibana.alert.ancestors"][0]["id"] for alert in alerts] == [event.id]


def test_the_rule_shown_is_a_rule(readme: str) -> None:
    """The annotated example loads."""
    (text,) = re.findall(r"```yaml\n(.*?)```", readme, flags=re.DOTALL)
    assert Rule.model_validate(yaml.safe_load(text)).id == "network-connection-via-regsvr32"


def test_every_field_of_a_rule_is_explained(pytestconfig: pytest.Config) -> None:
    """No field of the model is missing from the page about rules."""
    page = (pytestconfig.rootpath / "docs" / "rules.md").read_text()
    assert not {name for name in Rule.model_fields if f"`{name}`" not in page}
