"""The real ``noctule`` in processes of its own, on scripted endpoints and an empty data folder."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import yaml

from noctule.core.clock import SystemClock
from noctule.core.ports.database import Database
from storage.open import open_database
from tests.support import prepared
from tests.support.json_documents import check_document

ROLES = ("chat", "orchestrator", "engineer", "research", "writer", "utility")


class CommandLine:
    """A folder with a configuration and a data folder; every call is a new process.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.script = folder / "script.yaml"
        self.env = {
            **{
                name: value
                for name, value in os.environ.items()
                if "NOCTULE" not in name and name != "XDG_CONFIG_HOME"
            },
            "NOCTULE_HOME": str(self.home),
            "HOME": str(folder),
            "COLUMNS": "100",
        }

    def configure(self, settings: dict[str, Any]) -> Path:
        """Write a configuration, and name it by ``NOCTULE_CONFIG``."""
        path = self.folder / "config.yaml"
        path.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.env["NOCTULE_CONFIG"] = str(path)
        return path

    def play(self, models: dict[str, list[dict[str, Any]]], **more: Any) -> None:
        """Configure scripted models: the first answers, the others are its fallbacks.

        Args:
            models: what each plays.
            more: further sections of the configuration, and ``endpoint`` for keys of the endpoint.
        """
        endpoint = {"kind": "scripted", "script": "script.yaml", **more.pop("endpoint", {})}
        first, *others = models
        self.script.write_text(
            yaml.safe_dump({"models": models, "log": "calls.jsonl"}), encoding="utf-8"
        )
        binding = {"primary": first, **({"fallback": others} if others else {})}
        self.configure(
            {
                "endpoints": {"stage": endpoint},
                "models": {
                    name: {"endpoint": "stage", "name": name, "context": 8000} for name in models
                },
                "roles": dict.fromkeys(ROLES, binding),
                **more,
            }
        )

    def run(
        self,
        *arguments: str,
        stdin: str | bytes = b"",
        seconds: float = 120,
        stdout: IO[bytes] | None = None,
        **env: str,
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command to its end, which must come within so many seconds.

        What it printed for ``--json`` must fit its schema.

        Args:
            arguments: what stands behind ``noctule``.
            stdin: what it is sent.
            seconds: how long it may take.
            stdout: where its output goes; None returns it.
            env: more variables.
        """
        variables = {**self.env, **env}
        said = stdin.encode() if isinstance(stdin, str) else stdin
        if stdout is None and prepared.can(variables):
            done = prepared.run(arguments, self.folder, variables, said, seconds)
        else:
            done = subprocess.run(
                [sys.executable, "-m", "noctule", *arguments],
                cwd=self.folder,
                env=variables,
                input=said,
                stdout=subprocess.PIPE if stdout is None else stdout,
                stderr=subprocess.PIPE,
                check=False,
                timeout=seconds,
            )
        out = (done.stdout or b"").decode()
        check_document(arguments, out)
        return subprocess.CompletedProcess(done.args, done.returncode, out, done.stderr.decode())

    def json(self, *arguments: str, stdin: str = "") -> tuple[int, Any]:
        """Run a command with ``--json``; return its exit code and its one document."""
        done = self.run(*arguments, "--json", stdin=stdin)
        return done.returncode, json.loads(done.stdout)

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command and leave it running; the caller ends it."""
        return subprocess.Popen(
            [sys.executable, "-m", "noctule", *arguments],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def database(self) -> Database:
        """Open the data folder's database; the caller closes it."""
        return await open_database("sqlite", data_folder=self.home, clock=SystemClock())

    def calls(self) -> list[dict[str, Any]]:
        """Return what the scripted endpoint logged."""
        log = self.folder / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def wait_until(seen: Callable[[], bool], *, seconds: float = 60) -> None:
    """Look again and again until something is so."""
    end = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(0.02)
