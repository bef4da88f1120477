"""``${VARIABLE}`` in the configuration: taken from the environment, nowhere else."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from noctule.config.document import KeyPath

_REFERENCE = re.compile(r"\$\$\{|\$\{([^}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(slots=True)
class Substitution:
    """What putting in the variables gave.

    Args:
        data: the configuration with values for variables; a value whose variable is missing is
            left out.
        missing: where a variable that is unset or empty was asked for, and its name.
        malformed: where ``${`` is followed by no variable's name.
        used: each variable that was put in, with its value.
    """

    data: dict[str, Any] = field(default_factory=dict)
    missing: list[tuple[KeyPath, str]] = field(default_factory=list)
    malformed: list[KeyPath] = field(default_factory=list)
    used: dict[str, str] = field(default_factory=dict)


def substitute(data: Mapping[str, Any], environ: Mapping[str, str]) -> Substitution:
    """Put the environment's values in; ``$${`` stands for ``${`` itself.

    Args:
        data: the configuration as written.
        environ: the environment variables.
    """
    result = Substitution()
    result.data = _mapping(data, (), environ, result)
    return result


_LEFT_OUT = object()


def _mapping(
    data: Mapping[str, Any], path: KeyPath, environ: Mapping[str, str], result: Substitution
) -> dict[str, Any]:
    values = {key: _value(value, (*path, key), environ, result) for key, value in data.items()}
    return {key: value for key, value in values.items() if value is not _LEFT_OUT}


def _value(value: Any, path: KeyPath, environ: Mapping[str, str], result: Substitution) -> Any:
    match value:
        case dict():
            return _mapping(value, path, environ, result)
        case list():
            items = [_value(item, (*path, i), environ, result) for i, item in enumerate(value)]
            return [item for item in items if item is not _LEFT_OUT]
        case str():
            return _text(value, path, environ, result)
        case _:
            return value


def _text(text: str, path: KeyPath, environ: Mapping[str, str], result: Substitution) -> Any:
    complete = True

    def put_in(reference: re.Match[str]) -> str:
        nonlocal complete
        if reference.group() == "$${":
            return "${"
        name = reference.group(1)
        if not _NAME.fullmatch(name) or not reference.group().endswith("}"):
            result.malformed.append(path)
            complete = False
            return ""
        value = environ.get(name, "").strip()
        if not value:
            result.missing.append((path, name))
            complete = False
            return ""
        result.used[name] = value
        return value

    filled = _REFERENCE.sub(put_in, text)
    return filled if complete else _LEFT_OUT
