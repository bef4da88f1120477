"""From a file to checked settings, or to everything that is wrong with it."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from noctule.config.code import leave_out, server_part
from noctule.config.complaints import structural_problems
from noctule.config.document import ConfigDocument, KeyPath, parse_document, read_document
from noctule.config.installed import gaps
from noctule.config.places import find_home, packaged_template
from noctule.config.secrets import hide, written_secrets
from noctule.config.trust import TrustStore
from noctule.config.variables import Substitution, substitute
from noctule.config.which_file import Ask, ChosenConfig, Origin, choose
from noctule.core.errors import ConfigError, Problem
from noctule.core.settings import Settings, TelegramSettings
from noctule.core.settings.checks import findings_in
from noctule.core.settings.parts import Parts

_NAMED = 5
_ENDPOINT_FILES = ("weights", "chat_template", "script")


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration that is sound.

    Args:
        settings: what it says.
        path: the file it was read from.
        home: the data folder, absolute; not made yet.
        absent: variables that are missing but that nothing started so far needs: keys of
            endpoints no role uses, the token of a bot that may not be started.
        choice: how the file was found.
    """

    settings: Settings
    path: Path
    home: Path
    absent: tuple[Problem, ...] = ()
    choice: ChosenConfig | None = None


def load(
    path: Path | None = None,
    *,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    ask: Ask | None = None,
) -> Loaded:
    """Find, read and check the configuration.

    Args:
        path: what ``--config`` said; None searches ``NOCTULE_CONFIG``, a trusted
            ``./config.yaml``, the person's own and the packaged default, in this order.
        environ: the environment variables; None means the process's own.
        cwd: the folder relative paths start from; None means the process's own.
        ask: asks whether an unknown ``./config.yaml`` may be used; None uses none.

    Raises:
        ConfigError: with all problems at once.
    """
    environ = os.environ if environ is None else environ
    cwd = Path.cwd() if cwd is None else cwd
    home = find_home(environ=environ, cwd=cwd)
    choice = choose(path, environ=environ, cwd=cwd, home=home, ask=ask)
    found = choice.path
    if choice.content is None:
        document = read_document(found)
    else:
        document = parse_document(choice.content, str(found))
        leave_out(document.data, choice.left_out)
    settings, absent = _check(document, environ, found.parent, to_be_used=True)
    return Loaded(settings, found, home, absent, choice)


def vetter(loaded: Loaded) -> Callable[[str], str | None] | None:
    """Return what says why an MCP server may not be started now, a clause, by its name.

    The code of a project is looked at again whenever a server is started: a night is long.

    Args:
        loaded: a configuration; only a project's is trusted as it was.

    Returns:
        None where nothing has to be asked.
    """
    choice = loaded.choice
    if choice is None or choice.origin is not Origin.PROJECT or choice.content is None:
        return None
    store, path, content = TrustStore.of(loaded.home), choice.path, choice.content

    def vet(name: str) -> str | None:
        files = store.changed_part(path, content, server_part(name))
        if not files:
            return None
        return (
            f"its code has changed since it was trusted ({', '.join(files[:_NAMED])}); look at it, "
            f"then `noctule trust {path}`"
        )

    return vet


def load_bytes(content: bytes, path: Path, home: Path, *, environ: Mapping[str, str]) -> Loaded:
    """Check the content of a configuration's file that somebody has chosen already.

    Args:
        content: all of it.
        path: the file.
        home: the data folder.
        environ: the environment variables.

    Raises:
        ConfigError: with all problems at once.
    """
    document = parse_document(content, str(path))
    settings, absent = _check(document, environ, path.parent, to_be_used=True)
    return Loaded(settings, path, home, absent)


def load_text(text: str, *, environ: Mapping[str, str], folder: Path, file: str) -> Settings:
    """Check configuration text that is not in a file yet; what it needs may still be installed.

    Args:
        text: YAML.
        environ: the environment variables.
        folder: where relative paths in it start.
        file: what problems call it.

    Raises:
        ConfigError: with all problems at once.
    """
    return _check(parse_document(text.encode(), file), environ, folder)[0]


def require_telegram(loaded: Loaded) -> TelegramSettings:
    """Return the bot's settings for a start that needs its token.

    Raises:
        ConfigError: there is no token.
    """
    telegram = loaded.settings.telegram
    if telegram.token is not None:
        return telegram
    absent = [problem for problem in loaded.absent if problem.path == "telegram.token"]
    raise ConfigError(
        absent
        or [
            Problem(
                str(loaded.path),
                None,
                "telegram.token",
                "the Telegram bot has no token.",
                'get one from @BotFather, write `telegram: {token: "${TELEGRAM_BOT_TOKEN}"}` '
                "and export that variable.",
            )
        ]
    )


def _check(
    document: ConfigDocument, environ: Mapping[str, str], folder: Path, *, to_be_used: bool = False
) -> tuple[Settings, tuple[Problem, ...]]:
    if not document.data:
        raise ConfigError(document.problems)
    written = {key: value for key, value in document.data.items() if value is not None}
    filled = substitute(written, environ)
    _anchor_paths(filled.data, folder)
    parts = Parts.salvage(filled.data)
    absent, needed = _missing(document, filled, parts)
    problems = _distinct(
        [
            *document.problems,
            *written_secrets(document),
            *needed,
            *_malformed(document, filled),
            *structural_problems(document, filled.data),
            *_between_sections(document, filled, parts),
            *_missing_files(document, parts),
            *(_not_installed(document, parts) if to_be_used else ()),
        ]
    )
    if problems:
        raise ConfigError([hide(problem, filled.used) for problem in problems])
    return Settings.model_validate(filled.data), absent


def _distinct(problems: list[Problem]) -> list[Problem]:
    """Keep the first problem of each path, in the order of the file."""
    first: dict[tuple[str, int | None] | str, Problem] = {}
    for problem in problems:
        first.setdefault(problem.path or ("", problem.line), problem)
    return sorted(first.values(), key=lambda problem: (problem.line is None, problem.line or 0))


def _missing(
    document: ConfigDocument, filled: Substitution, parts: Parts
) -> tuple[tuple[Problem, ...], list[Problem]]:
    """Sort the missing variables into those nothing needs yet and those that are problems."""
    bound = parts.bound_endpoints()
    absent: list[Problem] = []
    needed: list[Problem] = []
    for path, name in filled.missing:
        roles = bound.get(str(path[1]), []) if path[0] == "endpoints" and len(path) > 1 else []
        fix = f"export {name}=... before starting"
        if roles:
            fix += f", or bind other models to {', '.join(roles)}"
        problem = document.complain(
            path, f"the environment variable {name} is not set or empty.", f"{fix}."
        )
        waits = _is_endpoint_key(path) and not roles
        (absent if waits or path == ("telegram", "token") else needed).append(problem)
    return tuple(absent), needed


def _between_sections(
    document: ConfigDocument, filled: Substitution, parts: Parts
) -> Iterator[Problem]:
    """Yield what does not fit together, but no missing key of an endpoint whose url is missing."""
    missing = {path for path, _ in filled.missing if path[0] == "endpoints"}
    incomplete = missing | {(*path[:2], "key") for path in missing}
    for finding in findings_in(parts):
        if finding.path not in incomplete:
            yield document.complain(finding.path, finding.message, finding.fix)


def _is_endpoint_key(path: KeyPath) -> bool:
    return path[:1] == ("endpoints",) and path[2:] in {("key",), ("account", "key")}


def _malformed(document: ConfigDocument, filled: Substitution) -> Iterator[Problem]:
    for path in filled.malformed:
        yield document.complain(
            path,
            "${...} does not contain a variable's name.",
            "use letters, digits and _ only, like ${OPENAI_API_KEY}; $${ stands for ${ itself.",
        )


def _anchor_paths(data: dict[str, Any], folder: Path) -> None:
    """Make paths in the configuration start at its own folder, in place."""
    endpoints = data.get("endpoints")
    for endpoint in endpoints.values() if isinstance(endpoints, dict) else ():
        for key in _ENDPOINT_FILES:
            if isinstance(endpoint, dict) and isinstance(endpoint.get(key), str):
                own = folder / Path(endpoint[key]).expanduser()
                brought = packaged_template(endpoint[key]) if key == "chat_template" else None
                endpoint[key] = str(own if brought is None or own.exists() else brought)
    tools = data.get("tools")
    if isinstance(tools, dict) and isinstance(tools.get("folder"), str):
        tools["folder"] = str(folder / Path(tools["folder"]).expanduser())


def _missing_files(document: ConfigDocument, parts: Parts) -> Iterator[Problem]:
    for name in parts.bound_endpoints():
        endpoint = parts.endpoints.get(name)
        for key in _ENDPOINT_FILES if endpoint else ():
            path: Path | None = getattr(endpoint, key)
            if path is not None and not path.is_file():
                yield document.complain(
                    ("endpoints", name, key),
                    f"there is no file {str(path)!r}.",
                    "correct the path; relative ones start at the configuration's folder.",
                )


def _not_installed(document: ConfigDocument, parts: Parts) -> Iterator[Problem]:
    for path, gap in gaps(parts):
        message = f"this needs {gap.what}, not installed yet."
        yield document.complain(path, message, f"run `{gap.command}`, or configure something else.")
