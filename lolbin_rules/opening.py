"""Which store is meant, opening it, and clearing out the embedded one: the only place that names the adapters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lolbin_rules.alert.source import write_time
from lolbin_rules.errors import SettingsError
from lolbin_rules.settings import ElasticsearchSettings, RunnerSettings
from lolbin_rules.store.port import Store

if TYPE_CHECKING:
    from lolbin_rules.store.embedded import EmbeddedStore

# The adapters are imported where they are opened: each costs a quarter of a second that the other needs not wait for.

__all__ = ["clear_out", "open_embedded", "open_store"]

LOG = logging.getLogger(__name__)
EMBEDDED = "embedded"


@contextmanager
def open_store(
    named: str | None, cluster: ElasticsearchSettings, settings: RunnerSettings, clock: Callable[[], datetime]
) -> Iterator[Store]:
    """The store that is named: a cluster's URL or `embedded`; else ELASTICSEARCH_URL; else the embedded store.

    Raises:
        SettingsError: the name means nothing, or what it means cannot be opened.
    """
    where = named or cluster.url or EMBEDDED
    if where == EMBEDDED:
        with open_embedded(settings.data_dir, clock) as embedded:
            yield embedded
    elif "://" not in where and Path(where).exists():
        raise SettingsError(
            f"--store {where} is a path. Give `--store embedded` and name the folder by LOLBIN_DATA_DIR={where}."
        )
    else:
        store = _connect(where, cluster, clock)
        try:
            yield store
        finally:
            store.close()


@contextmanager
def open_embedded(
    folder: Path, clock: Callable[[], datetime], *, is_durable: bool = True, indices: Sequence[str] = ()
) -> Iterator[EmbeddedStore]:
    """The embedded store in this folder, made where it is missing, ready to take events as Winlogbeat ships them.

    Args:
        folder: where it is.
        clock: the present time.
        is_durable: what is acknowledged outlives the machine's sudden end.
        indices: where events go besides `winlogbeat-*` and `logs-*`.

    Raises:
        SettingsError: the folder cannot be used.
    """
    from lolbin_rules.importers.event_templates import event_templates  # noqa: PLC0415 - see above
    from lolbin_rules.store.embedded import EmbeddedStore  # noqa: PLC0415 - see above

    store = EmbeddedStore(folder, clock=clock, is_durable=is_durable)
    try:
        store.prepare(event_templates(indices))
        yield store
    finally:
        store.close()


def clear_out(store: Store, settings: RunnerSettings, now: datetime) -> None:
    """Delete the events of an embedded store that LOLBIN_RETENTION_AGE and LOLBIN_RETENTION_SIZE keep no longer.

    Alerts, coverage and whatever else has the prefix stay.
    """
    from lolbin_rules.store.embedded import EmbeddedStore  # noqa: PLC0415 - see above

    if not isinstance(store, EmbeddedStore):
        return
    names = {name for found in store.field_types(["*"], []).indices.values() for name in found}
    events = sorted(name for name in names if not name.startswith(f"{settings.prefix}-"))
    oldest = now - settings.retention_age
    if gone := store.retain(events, older_than=oldest, more_than_bytes=int(settings.retention_size)):
        LOG.info("%d events were deleted: older than %s, or beyond LOLBIN_RETENTION_SIZE.", gone, write_time(oldest))


def _connect(url: str, settings: ElasticsearchSettings, clock: Callable[[], datetime]) -> Store:
    from lolbin_rules.store.elasticsearch import Connection, ElasticsearchStore  # noqa: PLC0415 - see above

    connection = Connection(
        url=url,
        username=settings.username,
        password=settings.secret("password"),
        api_key=settings.secret("api_key"),
        bearer_token=settings.secret("bearer_token"),
        ca_certs=settings.ca_certs,
        client_cert=settings.client_cert,
        client_key=settings.client_key,
        verify_certs=settings.verify_certs,
        request_timeout=settings.request_timeout,
    )
    return ElasticsearchStore(connection, clock=clock)
