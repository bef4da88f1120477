"""Which configuration is used: a named one, a trusted project file, the person's, the packaged."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from noctule.config.places import (
    given_to_agents,
    named_config,
    packaged_default,
    project_config,
    user_config,
)
from noctule.config.project import Project, read_project
from noctule.config.trust import TrustStore
from noctule.core.errors import ConfigError, Problem

_NAMED = 5

Ask = Callable[[Project], bool | None]
"""Asks a person whether a project file may be used; None when nobody can be asked now."""


class Origin(StrEnum):
    """Why a configuration is the one that is used."""

    NAMED = "named"
    """``--config`` or ``NOCTULE_CONFIG`` says so."""
    PROJECT = "project"
    """``./config.yaml``, which a person trusted."""
    USER = "user"
    """The person's own, the usual one."""
    PACKAGED = "packaged"
    """The one that came with Noctule: there is no other."""


@dataclass(frozen=True, slots=True)
class ChosenConfig:
    """The configuration to use.

    Args:
        path: the file; a named one need not exist.
        origin: why this one.
        content: what a person trusted: this is used, whatever the file holds by now. None means
            that it is read from the file.
        warning: why ``./config.yaml`` is not used, and how it would be; None when it is, or when
            there is none of Noctule's; or what of it is left out.
        left_out: parts that run code which has changed since it was trusted.
    """

    path: Path
    origin: Origin
    content: bytes | None = None
    warning: str | None = None
    left_out: tuple[str, ...] = ()

    @property
    def notice(self) -> str | None:
        """One line that says which file is used; None for what was named, and for the usual one."""
        match self.origin:
            case Origin.PROJECT:
                return f"Using the project's configuration {self.path}."
            case Origin.PACKAGED:
                return (
                    "Using Noctule's default configuration, because you have none yet. Write one "
                    "with `noctule init`."
                )
            case _:
                return None


def choose(
    option: Path | None,
    *,
    environ: Mapping[str, str],
    cwd: Path,
    home: Path,
    ask: Ask | None = None,
) -> ChosenConfig:
    """Return the configuration to use; nothing in it is run or checked.

    Args:
        option: what ``--config`` said; None when it was not given.
        environ: the environment variables.
        cwd: the folder relative paths start from, and project files are looked for in.
        home: the data folder, with the trust store.
        ask: asks whether a project file may be used that nobody was asked about; None uses no
            such file.

    Raises:
        ConfigError: a project file turned up where agents work, and nobody has named it.
    """
    named = named_config(option, environ=environ, cwd=cwd)
    if named is not None:
        return ChosenConfig(named, Origin.NAMED)
    store = TrustStore.of(home)
    usual = _usual(environ, store)
    here = project_config(cwd)
    if here is None or any(_same(here, other) for other in (usual.path, packaged_default())):
        return usual
    content = read_project(here)
    if content is None:
        return usual
    return _project(here, content, usual, store, ask)


def _usual(environ: Mapping[str, str], store: TrustStore) -> ChosenConfig:
    own = user_config(environ=environ)
    if not own.is_file():
        return ChosenConfig(packaged_default(), Origin.PACKAGED)
    if given_to_agents(own, store.home) and not _is_trusted(own, store):
        raise _turned_up(own)  # somebody gave agents a folder around it, like ~/.config
    return ChosenConfig(own, Origin.USER)


def _is_trusted(path: Path, store: TrustStore) -> bool:
    content = read_project(path)
    known = None if content is None else store.verdict(path, content)
    return known is not None and known.holds


def _project(
    here: Path, content: bytes, usual: ChosenConfig, store: TrustStore, ask: Ask | None
) -> ChosenConfig:
    known = store.verdict(here, content)
    trusted = known.trusted if known is not None and known.same else None
    if trusted is None and given_to_agents(here, store.home):
        raise _turned_up(here)
    code = known.changed if trusted and known is not None else {}
    if (trusted is None or code) and ask is not None and not given_to_agents(here, store.home):
        answer = ask(Project.compared(here, content, known))
        if answer is not None:
            store.remember(here, content, trusted=answer)
            trusted, code = answer, {}
    if trusted and code:
        return ChosenConfig(here, Origin.PROJECT, content, _changed_code(here, code), tuple(code))
    if trusted:
        return ChosenConfig(here, Origin.PROJECT, content)
    return ChosenConfig(
        usual.path, usual.origin, warning=_untrusted(here, said_no=trusted is False)
    )


def _untrusted(here: Path, *, said_no: bool) -> str:
    why = "you said no to it" if said_no else "it can start programs, and you have not trusted it"
    return (
        f"{here} is not used: {why} in its present form. Read it, then run `noctule trust` to use "
        "it from now on, or pass --config to use it once."
    )


def _changed_code(here: Path, code: Mapping[str, Sequence[str]]) -> str:
    parts = ", ".join(code)
    files = [name for names in code.values() for name in names]
    few = ", ".join(files[:_NAMED]) + (
        f" and {len(files) - _NAMED} more" if len(files) > _NAMED else ""
    )
    return (
        f"{parts} of {here} is left out, because its code has changed since you trusted it: {few}. "
        "Look at it; then `noctule trust` uses it again."
    )


def _turned_up(found: Path) -> ConfigError:
    message = "appeared after agents were given this folder, and it can start programs."
    fix = f"look at it, then name it: `noctule trust {found}`, --config or NOCTULE_CONFIG."
    return ConfigError([Problem(str(found), None, "", message, fix)])


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False
