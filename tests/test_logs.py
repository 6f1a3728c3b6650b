"""Logs: one line a record, for machines as ECS, and nothing secret in them."""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import Any

import pytest

from lolbin_rules.logs import set_up_logs
from lolbin_rules.store.elasticsearch import Connection
from lolbin_rules.store.elasticsearch.connect import open_client

pytestmark = pytest.mark.usefixtures("own_logs")

LOG = logging.getLogger("lolbin_rules.test")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What was logged, parsed; standard output stays free for results."""
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_a_record_is_one_line_of_ecs(capsys: pytest.CaptureFixture[str]) -> None:
    """Time, level, message and the version of ECS stand where the Elastic stack looks for them."""
    set_up_logs("json", "INFO")
    LOG.warning("two\nlines of %s", "text", extra={"lolbin": {"execution": {"hits": 3}}})
    (line,) = lines(capsys)
    assert datetime.fromisoformat(line["@timestamp"]).tzinfo is not None
    assert line["log.level"] == "warning"
    assert line["message"] == "two\nlines of text"
    assert line["ecs.version"]
    assert line["log"]["logger"] == LOG.name
    assert line["lolbin"] == {"execution": {"hits": 3}}


def test_an_error_is_one_line_of_ecs_with_its_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """A traceback does not tear the record apart."""
    set_up_logs("json", "INFO")
    try:
        int("odd")
    except ValueError:
        LOG.exception("failed")
    (line,) = lines(capsys)
    assert line["error"]["type"] == "ValueError"
    assert "odd" in line["error"]["message"]
    assert "test_logs.py" in line["error"]["stack_trace"]


def test_text_begins_with_the_time_in_utc_and_the_level(capsys: pytest.CaptureFixture[str]) -> None:
    """For people: short, sortable, without doubt about the zone."""
    set_up_logs("text", "INFO")
    LOG.info("hello")
    time, level, message = capsys.readouterr().err.split()
    assert datetime.fromisoformat(time).tzinfo is not None
    assert (level, message) == ("INFO", "hello")


@pytest.mark.parametrize("form", ["text", "json"])
def test_the_level_is_ours_and_other_packages_only_warn(form: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """DEBUG shows our own details and nobody else's; what the client says of every attempt stays out."""
    set_up_logs(form, "DEBUG")
    LOG.debug("ours")
    logging.getLogger("urllib3").debug("theirs")
    logging.getLogger("elastic_transport.transport").warning("theirs")
    logging.getLogger("apscheduler.scheduler").warning("theirs")
    logging.getLogger("another").warning("important")
    said = capsys.readouterr().err
    assert "ours" in said
    assert "theirs" not in said
    assert "important" in said


def test_setting_up_twice_does_not_say_everything_twice(capsys: pytest.CaptureFixture[str]) -> None:
    """The last call decides."""
    set_up_logs("text", "INFO")
    set_up_logs("json", "WARNING")
    LOG.info("no")
    LOG.warning("once")
    assert [line["message"] for line in lines(capsys)] == ["once"]


def test_no_secret_of_a_connection_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    """Not even at DEBUG, and not by the text of the connection itself."""
    set_up_logs("json", "DEBUG")
    connection = Connection("https://elastic:correct-horse@localhost:9200", verify_certs=False)
    open_client(connection).close()
    LOG.info("%r", connection)
    text = json.dumps(lines(capsys))
    assert "Certificates are not checked" in text
    assert "correct-horse" not in text
