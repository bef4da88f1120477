"""What the machine gives: a folder to write in, disk, memory, a time zone."""

import os
import shutil
import sys
import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from urllib.parse import urlsplit

from noctule.core.base.private_files import make_folder, open_to_others, write_private
from noctule.core.budgets.plan_ends import Nearness, plan_ends
from noctule.core.settings import EndpointKind, Settings
from noctule.core.settings.tools import SandboxChoice
from noctule.doctor.finding import Finding, Level
from noctule.models.wire.loopback import is_on_this_machine

_GB = 1_000_000_000
_LITTLE_DISK = 1 * _GB
_NAMED = 3
_SHARE = 0.9  # of the memory; the rest is for everything else that runs
_ON_THIS_MACHINE = frozenset({EndpointKind.OLLAMA, EndpointKind.EMBEDDED})


def data_folder(home: Path) -> Iterator[Finding]:
    """Check that the data folder can be written; makes it when it is missing."""
    probe = home / f".doctor-{uuid.uuid4().hex}"
    try:
        make_folder(home)
        write_private(probe, b"x")
        probe.unlink()
    except OSError as error:
        yield Finding(
            Level.ERROR,
            "data folder",
            f"{home} cannot be written ({(error.strerror or 'refused').lower()}).",
            "Fix its permissions, or set NOCTULE_HOME to another folder.",
        )
        return
    yield Finding(Level.OK, "data folder", f"{home} is writable.")
    if home.stat().st_mode & 0o077:
        yield Finding(
            Level.ADVICE,
            "data folder",
            f"{home} is open to other users of this machine: they can read files of sessions in "
            "it.",
            f"Run `chmod 700 {home}`.",
        )
    wide = open_to_others(home)
    if wide:
        few = ", ".join(path.name for path in wide[:_NAMED])
        yield Finding(
            Level.ADVICE,
            "data folder",
            f"{len(wide)} of its files are readable by others, if they get into the folder ({few}"
            f"{', ...' if len(wide) > _NAMED else ''}).",
            "The next command that opens the database fixes that.",
        )


def disk(home: Path, settings: Settings, missing: Collection[str]) -> Iterator[Finding]:
    """Check the free disk against what is still to be fetched.

    Args:
        home: the data folder; its nearest parent that exists is looked at.
        settings: how big models are.
        missing: models that their Ollama on this machine does not have yet.
    """
    there = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(there).free
    wanted = sum((settings.models[name].memory_gb or 0) * _GB for name in missing)
    if free < _LITTLE_DISK:
        yield Finding(
            Level.WARNING,
            "disk",
            f"{_gb(free)} free on the disk of the data folder.",
            "Free some space: a full disk stops every session until there is room again.",
        )
    elif wanted > free:
        names = ", ".join(sorted(missing))
        yield Finding(
            Level.WARNING,
            "disk",
            f"{_gb(free)} free, and downloading {names} takes about {_gb(wanted)}.",
            "Free some space first, or use smaller models.",
        )
    else:
        yield Finding(Level.OK, "disk", f"{_gb(free)} free on the disk of the data folder.")


def memory(settings: Settings, total_bytes: int | None) -> Iterator[Finding]:
    """Compare what models that are meant to stay loaded take with what the machine has.

    Args:
        settings: which models roles use, and how big they are.
        total_bytes: the machine's memory; None when it cannot be told.
    """
    names = staying(settings)
    if total_bytes is None or not names:
        return
    known = {name: settings.models[name].memory_gb for name in names}
    sizes = {name: gb * _GB for name, gb in known.items() if gb is not None}
    total = sum(sizes.values())
    unknown = [name for name, gb in known.items() if gb is None]
    listed = ", ".join(sorted(sizes))
    if total > total_bytes * _SHARE:
        yield Finding(
            Level.WARNING,
            "memory",
            f"The models that stay loaded ({listed}) take {_gb(total)}, and this machine has "
            f"{_gb(total_bytes)}: every change of model reloads one, which takes seconds to "
            "minutes.",
            "Use fewer or smaller models, or run rarely used ones on another machine.",
        )
    elif sizes:
        yield Finding(
            Level.OK,
            "memory",
            f"The models that stay loaded take {_gb(total)} of {_gb(total_bytes)}.",
        )
    if unknown:
        yield Finding(
            Level.ADVICE,
            "memory",
            f"How much memory {', '.join(unknown)} takes is not configured, so it was not counted.",
            "Set models.NAME.memory_gb (`ollama ps` shows it once the model is loaded).",
        )


def staying(settings: Settings) -> list[str]:
    """Return the models that roles use and that stay in this machine's memory between calls.

    One model of a server under two names counts once.
    """
    bound = dict.fromkeys(name for _, role in settings.roles.items() for name in role.models)
    targets: dict[tuple[str, str], str] = {}
    for name in bound:
        endpoint, model = settings.endpoint_of(name), settings.models[name]
        kept = endpoint.keep_alive is None or endpoint.keep_alive != timedelta(0)
        served = endpoint.kind in _ON_THIS_MACHINE and model.local is not False
        if served and kept and is_here(settings, model.endpoint):
            targets.setdefault((model.endpoint, model.name), name)
    return list(targets.values())


def is_here(settings: Settings, endpoint: str) -> bool:
    """Whether an endpoint runs on this machine."""
    url = settings.endpoints[endpoint].url
    return url is None or is_on_this_machine(urlsplit(url).hostname)


def sandbox(
    flaw: str | None, settings: Settings, *, mac: bool = sys.platform == "darwin"
) -> Iterator[Finding]:
    """Say whether the commands of agents run in a sandbox.

    Args:
        flaw: why they do not, a sentence or two; None when they do.
        settings: whether one is wanted.
        mac: whether this is one.
    """
    if flaw is None:
        said = "Agents' commands run in it."
        if mac:
            said += (
                " It held when it was attacked just now; beyond that its profile has not been "
                "run on a Mac yet (docs/security.md)."
            )
        elif os.geteuid() == 0:
            said += (
                " Noctule runs as root; they run as an ordinary user of their own. Where a folder "
                "lies on a disk that cannot be shown to that user, each command asks."
            )
        yield Finding(Level.OK, "sandbox", said)
    elif settings.tools.sandbox is SandboxChoice.NONE:
        yield Finding(
            Level.OK, "sandbox", "tools.sandbox is none: you are asked about each command."
        )
    else:
        why, _, fix = flaw.partition(". ")
        said = (
            f"You are asked about each command of an agent, and it runs as you: {why.rstrip('.')}."
        )
        fix = fix or "Allow harmless commands with rules in tools.permissions."
        yield Finding(Level.ADVICE, "sandbox", said, fix)


def awake(settings: Settings, program: str | None) -> Iterator[Finding]:
    """Say whether the machine is kept from sleeping while there is work.

    Args:
        settings: whether it is wanted.
        program: what does it here; None when there is nothing.
    """
    if not settings.keep_awake:
        yield Finding(
            Level.OK,
            "sleep",
            "keep_awake is off: this machine may go to sleep while sessions work.",
        )
    elif program is None:
        yield Finding(
            Level.ADVICE,
            "sleep",
            "Nothing here keeps this machine awake while sessions work (no systemd-inhibit).",
            "A server never sleeps; on a laptop, turn off automatic sleep.",
        )
    else:
        yield Finding(Level.OK, "sleep", f"{program} keeps this machine awake while there is work.")


def plans(settings: Settings, now: datetime, zone: tzinfo) -> Iterator[Finding]:
    """Say which plans and trials end soon, or have ended.

    Args:
        settings: whose ``until`` is looked at.
        now: the present moment.
        zone: where moments are shown.
    """
    for end in plan_ends(settings):
        near = end.nearness(now)
        level = Level.OK if near is None else Level.ADVICE
        level = Level.WARNING if near is Nearness.OVER else level
        fix = "" if near is None else end.fix
        yield Finding(level, end.path, end.sentence(now, zone), *([fix] if fix else []))


def time_zone(
    settings: Settings, zone: tzinfo, now: datetime, environ: Mapping[str, str]
) -> Iterator[Finding]:
    """Say in which zone times are shown.

    Args:
        settings: whether one is configured.
        zone: the one in use.
        now: the present moment.
        environ: the environment variables; TZ says that somebody chose one.
    """
    there = now.astimezone(zone)
    shown = (
        f"Times are shown in {settings.timezone or there.tzname()}: it is {there:%H:%M} there now."
    )
    unset = settings.timezone is None and not environ.get("TZ")
    if unset and there.utcoffset() == timedelta(0):
        yield Finding(
            Level.ADVICE,
            "time zone",
            shown,
            "If that is not your time zone, set `timezone:`, e.g. Europe/Berlin.",
        )
    else:
        yield Finding(Level.OK, "time zone", shown)


def _gb(size: float) -> str:
    return f"{size / _GB:.1f} GB"
