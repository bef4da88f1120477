"""The command line for tests of commands that read: a configuration, records put in by hand.

In a test::

    shell = Shell(tmp_path, CONFIG)
    done = await shell("attempts", "--json")
    assert (done.code, done.json) == (0, [])
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noctule.core.ports.database import UnitOfWork
from tests.support.command_line import CommandLine

SILENT = frozenset({"langgraph", "langchain", "langchain_core", "dbos", "openai", "anthropic"})
"""What a command that only reads must not import."""


@dataclass(frozen=True)
class Done:
    """A process that ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document on stdout."""
        return json.loads(self.out)


class Shell(CommandLine):
    """Runs commands without blocking the event loop, so that a loopback provider can answer them.

    Args:
        folder: an empty one.
        config: the configuration's text, named by ``NOCTULE_CONFIG``; None writes none.
        env: more variables.
    """

    def __init__(self, folder: Path, config: str | None, **env: str) -> None:
        super().__init__(folder)
        self.env |= env
        if config is not None:
            (folder / "config.yaml").write_text(config, encoding="utf-8")
            self.env["NOCTULE_CONFIG"] = str(folder / "config.yaml")

    async def __call__(self, *words: str, **env: str) -> Done:
        """Run ``noctule`` with these words until it ends."""
        done = await asyncio.to_thread(lambda: self.run(*words, **dict[str, Any](env)))
        return Done(done.returncode, done.stdout, done.stderr)

    async def loaded(self, *words: str) -> set[str]:
        """Run a command and return the top-level modules it had imported at its end."""
        code = (
            "import sys\n"
            "from noctule.cli.main import run\n"
            f"code = run({list(words)!r})\n"
            "names = sorted({name.partition('.')[0] for name in sys.modules})\n"
            "sys.stderr.write('\\n' + ' '.join(names))\n"
            "sys.exit(code)\n"
        )
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", code],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return set(done.stderr.decode().splitlines()[-1].split())

    @contextmanager
    def running(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """Run a command beside the block; it is killed at the end if it still runs."""
        process = self.start(*words)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()

    @asynccontextmanager
    async def records(self) -> AsyncIterator[UnitOfWork]:
        """Write into the data folder's database; committed at the end."""
        database = await self.database()
        try:
            async with database.work() as work:
                yield work
                await work.commit()
        finally:
            await database.close()
