"""The environment -> frozen settings. Secrets come from here or from files that it names, and are never printed."""

from __future__ import annotations

import difflib
import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ByteSize, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lolbin_rules.errors import SettingsError
from lolbin_rules.rule.coverage_mode import CoverageMode
from lolbin_rules.rule.duration import parse_duration

__all__ = ["ElasticsearchSettings", "RunnerSettings", "read_settings"]


def _duration(value: Any) -> Any:
    return parse_duration(value) if isinstance(value, str) else value


def _duration_or_none(value: Any) -> Any:
    return timedelta() if value == "0" else _duration(value)


def _paths(value: Any) -> Any:
    return tuple(part for part in value.split(":") if part) if isinstance(value, str) else value


def _data_home() -> Path:
    """Where programs of this person keep data (XDG Base Directory specification)."""
    named = os.environ.get("XDG_DATA_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "share") / "lolbin-rules"


Duration = Annotated[timedelta, BeforeValidator(_duration)]
DurationOrNone = Annotated[timedelta, BeforeValidator(_duration_or_none)]
Secret = SecretStr | None


class ElasticsearchSettings(BaseSettings):
    """How to reach the cluster: `ELASTICSEARCH_URL` and its companions.

    Each secret may stand in the variable or in a file named by the same variable with `_FILE` behind it.
    """

    model_config = SettingsConfigDict(
        env_prefix="ELASTICSEARCH_", env_ignore_empty=True, frozen=True, extra="ignore", hide_input_in_errors=True
    )

    url: str | None = Field(default=None, repr=False)  # it may hold a password
    username: str | None = None
    password: Secret = None
    password_file: Path | None = None
    api_key: Secret = None
    api_key_file: Path | None = None
    bearer_token: Secret = None
    bearer_token_file: Path | None = None
    ca_certs: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    verify_certs: bool = True
    request_timeout: Duration = timedelta(seconds=30)

    def secret(self, name: Literal["password", "api_key", "bearer_token"]) -> str | None:
        """The secret of that name, from the environment or its file.

        Raises:
            SettingsError: both are given, or the file cannot be read or is empty.
        """
        given: SecretStr | None = getattr(self, name)
        path: Path | None = getattr(self, f"{name}_file")
        variable = f"ELASTICSEARCH_{name.upper()}"
        if given and path:
            raise SettingsError(f"{variable} and {variable}_FILE are both set; which is meant is unknown. Unset one.")
        if path is None:
            return given.get_secret_value() if given else None
        try:
            text = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
            raise SettingsError(f"{variable}_FILE names {path}, which cannot be read: {reason}.") from error
        if not text:
            raise SettingsError(f"{variable}_FILE names {path}, which is empty. Put the secret in it.")
        return text


class RunnerSettings(BaseSettings):
    """How the runner works: the `LOLBIN_*` variables.

    Attributes:
        rules: files and folders of rules, separated by `:`; empty means the shipped rules.
        prefix: what the names of all indices that are written begin with.
        log_format: `json` (ECS) or `text`.
        log_level: as Python's logging names it.
        coverage: how events are read for rules that do not say.
        gap_horizon: how far back time that was not searched is searched without being asked.
        execution_timeout: how long one execution of a batch of rules may search; the rest is left to the next.
        sweep_interval: how often time that was searched is searched again for late arrivals; 0: never.
        sweep_reach: how far back that looks.
        reload_interval: how often rule files are looked at for changes.
        stop_grace: how long a stop waits for an execution to finish before it is abandoned.
        runner_name: what this runner is called among several; else its host and process.
        data_dir: the folder of the embedded store; by XDG's rules where it is not set.
        retention_age: events of the embedded store that are older are deleted; alerts and coverage stay.
        retention_size: the oldest events of the embedded store are deleted while their text is more bytes than this.
    """

    model_config = SettingsConfigDict(env_prefix="LOLBIN_", env_ignore_empty=True, frozen=True, extra="ignore")

    rules: Annotated[tuple[Path, ...], NoDecode, BeforeValidator(_paths)] = ()
    prefix: str = Field(default="lolbin", pattern=r"^[a-z0-9][a-z0-9_-]{0,60}$")
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    coverage: CoverageMode = "event_time"
    gap_horizon: Duration = timedelta(days=7)
    execution_timeout: Duration = timedelta(minutes=5)
    sweep_interval: DurationOrNone = timedelta(hours=1)
    sweep_reach: Duration = timedelta(hours=24)
    reload_interval: Duration = timedelta(seconds=10)
    stop_grace: Duration = timedelta(seconds=20)
    runner_name: str = Field(default="", pattern=r"^[A-Za-z0-9._-]{0,100}$")
    data_dir: Path = Field(default_factory=_data_home)
    retention_age: Duration = timedelta(days=8)
    retention_size: ByteSize = ByteSize(4_000_000_000)


def _misspelled() -> list[str]:
    """Variables that begin like ours and mean nothing: what they were to set would silently be the default."""
    known = [f"LOLBIN_{name.upper()}" for name in RunnerSettings.model_fields]
    strange = [
        name
        for name in os.environ
        if name.startswith("LOLBIN_") and not name.startswith("LOLBIN_TEST_") and name not in known
    ]
    return [
        f"{name}: there is no such setting. Did you mean {difflib.get_close_matches(name, known, 1, 0)[0]}?"
        for name in sorted(strange)
    ]


def read_settings() -> tuple[ElasticsearchSettings, RunnerSettings]:
    """Both kinds of settings from the environment; a variable that is set to nothing counts as not set.

    Raises:
        SettingsError: a variable has a value that means nothing; every faulty one is named.
    """
    faults = _misspelled()
    read: list[Any] = []
    for model, prefix in ((ElasticsearchSettings, "ELASTICSEARCH_"), (RunnerSettings, "LOLBIN_")):
        try:
            read.append(model())
        except ValidationError as error:
            for fault in error.errors(include_input=False):
                why = fault["msg"].removeprefix("Value error, ").rstrip(".")
                faults.append(f"{prefix}{str(fault['loc'][0]).upper()}: {why}. Correct or unset it.")
    if faults:
        raise SettingsError("The environment cannot be understood, so nothing was done:\n" + "\n".join(faults))
    elasticsearch, runner = read
    return elasticsearch, runner
