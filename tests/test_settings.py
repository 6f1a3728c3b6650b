"""What the environment says becomes settings, and no secret in it ever shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal, get_args

import pytest

from lolbin_rules.errors import SettingsError
from lolbin_rules.settings import ElasticsearchSettings, read_settings

Name = Literal["password", "api_key", "bearer_token"]
SECRET = "correct-horse-battery"
each_secret = pytest.mark.parametrize("name", get_args(Name))

Read = Callable[..., ElasticsearchSettings]


@pytest.fixture
def cluster(environment: pytest.MonkeyPatch) -> Read:
    """Reads the settings of the cluster from these variables alone."""

    def read(**variables: str) -> ElasticsearchSettings:
        for name, value in variables.items():
            environment.setenv(f"ELASTICSEARCH_{name.upper()}", value)
        return read_settings()[0]

    return read


@each_secret
def test_a_secret_comes_from_its_variable(cluster: Read, name: Name) -> None:
    """As it is written there."""
    assert cluster(**{name: SECRET}).secret(name) == SECRET


@each_secret
def test_a_secret_comes_from_the_file_that_is_named(cluster: Read, name: Name, tmp_path: Path) -> None:
    """Without the line break that editors and `echo` leave behind it."""
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    assert cluster(**{f"{name}_file": str(file)}).secret(name) == SECRET


@each_secret
def test_no_secret_is_none(cluster: Read, name: Name) -> None:
    """Not given and set to nothing are the same, as compose files have it."""
    assert cluster(**{name: "", f"{name}_file": ""}).secret(name) is None


@each_secret
def test_a_secret_given_twice_is_refused(cluster: Read, name: Name, tmp_path: Path) -> None:
    """Which one is meant would be a guess; the message names both variables and shows neither value."""
    with pytest.raises(SettingsError, match=rf"ELASTICSEARCH_{name.upper()} and .*_FILE are both set") as refused:
        cluster(**{name: SECRET, f"{name}_file": str(tmp_path)}).secret(name)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "why"),
    [(None, "cannot be read: No such file"), (b"", "is empty"), (b"\n \n", "is empty"), (b"\xff", "UTF-8")],
)
def test_a_secret_file_that_holds_no_secret_is_refused(
    cluster: Read, tmp_path: Path, content: bytes | None, why: str
) -> None:
    """The message names the variable, the file and the reason."""
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError, match=why) as refused:
        cluster(password_file=str(file)).secret("password")
    assert f"ELASTICSEARCH_PASSWORD_FILE names {file}" in str(refused.value)


def test_no_secret_shows_in_the_text_of_settings(cluster: Read) -> None:
    """Neither as itself nor as part of the URL, so that a log or a traceback may hold settings."""
    settings = cluster(
        url=f"https://elastic:{SECRET}@localhost:9200", password=SECRET, api_key=SECRET, bearer_token=SECRET
    )
    assert settings.url is not None
    assert SECRET in settings.url
    assert SECRET not in f"{settings!r} {settings}"


def test_every_faulty_variable_is_named_at_once(environment: pytest.MonkeyPatch) -> None:
    """With what is wrong with it; the values of the cluster's variables are not repeated."""
    environment.setenv("ELASTICSEARCH_VERIFY_CERTS", SECRET)
    environment.setenv("ELASTICSEARCH_REQUEST_TIMEOUT", "0s")
    environment.setenv("LOLBIN_PREFIX", "Upper")
    environment.setenv("LOLBIN_GAP_HORIZON", "5 minutes")
    environment.setenv("LOLBIN_LOG_FORMAT", "xml")
    with pytest.raises(SettingsError) as refused:
        read_settings()
    message = str(refused.value)
    for variable in (
        "ELASTICSEARCH_VERIFY_CERTS",
        "ELASTICSEARCH_REQUEST_TIMEOUT",
        "LOLBIN_PREFIX",
        "LOLBIN_GAP_HORIZON",
        "LOLBIN_LOG_FORMAT",
    ):
        assert f"\n{variable}: " in message
    assert "such as 5m. Correct or unset it." in message
    assert "Value error" not in message
    assert SECRET not in message


def test_the_environment_is_read_as_it_is_documented(environment: pytest.MonkeyPatch) -> None:
    """Durations as rules write them, several paths with colons between them, defaults for the rest."""
    environment.setenv("ELASTICSEARCH_URL", "http://localhost:9200")
    environment.setenv("ELASTICSEARCH_VERIFY_CERTS", "false")
    environment.setenv("LOLBIN_RULES", "rules:/etc/more rules:")
    environment.setenv("LOLBIN_STOP_GRACE", "2m")
    environment.setenv("LOLBIN_PREFIX", "")
    elasticsearch, runner = read_settings()
    assert (elasticsearch.url, elasticsearch.verify_certs) == ("http://localhost:9200", False)
    assert elasticsearch.request_timeout == timedelta(seconds=30)
    assert runner.rules == (Path("rules"), Path("/etc/more rules"))
    assert (runner.stop_grace, runner.prefix) == (timedelta(minutes=2), "lolbin")


def test_a_misspelled_variable_is_named(environment: pytest.MonkeyPatch) -> None:
    """A variable that begins like ours and is none of ours is refused, with the one that is nearest."""
    environment.setenv("LOLBIN_PREFX", "soc")
    with pytest.raises(SettingsError, match=r"LOLBIN_PREFX: there is no such setting\. Did you mean LOLBIN_PREFIX\?"):
        read_settings()
