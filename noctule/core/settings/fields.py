"""Every field of the settings tree with its type in words, its default and its docstring."""

import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from noctule.core.settings.base import Section
from noctule.core.settings.root import Settings
from noctule.core.times.durations import write_duration

ANY_NAME = "*"
"""Stands in a path for a name of the person's choice."""

_WORDS: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Decimal: "a number",
    timedelta: "a duration like 1h30m",
    Path: "a path",
    SecretStr: "text that is never shown",
}


@dataclass(frozen=True, slots=True)
class SettingField:
    """One thing that may be written in the configuration.

    Args:
        path: keys from the root, ``*`` for a name of the person's choice.
        words: what may be written there, like ``a whole number, at least 1``.
        required: whether it must be written.
        default: as it would be written; None when it is unset or required.
        doc: its docstring.
        section: the section that stands there, or whose entries do; None for a value.
    """

    path: tuple[str, ...]
    words: str
    required: bool
    default: str | None
    doc: str
    section: type[Section] | None

    @property
    def dotted(self) -> str:
        """The path as people write it."""
        return ".".join(self.path)


def every_field(
    section: type[Section] = Settings, path: tuple[str, ...] = ()
) -> Iterator[SettingField]:
    """Yield all fields below a section, sections before what is in them."""
    for name, info in section.model_fields.items():
        inner, named = _inner_section(info.annotation)
        here = (*path, name)
        yield SettingField(
            path=here,
            words=_words(info.annotation, info.metadata),
            required=info.is_required(),
            default=_default(info),
            doc=info.description or "",
            section=inner,
        )
        if inner is not None:
            yield from every_field(inner, (*here, ANY_NAME) if named else here)


def match(path: Sequence[str | int]) -> tuple[int, SettingField | None]:
    """Find the field that a concrete path leads to.

    Args:
        path: keys as written in a file, like ``("roles", "chat", "primary")``.

    Returns:
        How many leading keys of the path the settings tree knows, and the last field among them;
        None when not even the first key is known.
    """
    found: SettingField | None = None
    known = 0
    for field in every_field():
        length = len(field.path)
        if length <= len(path) and all(
            want in {ANY_NAME, str(got)} for want, got in zip(field.path, path, strict=False)
        ):
            named = field.section is not None and is_named(field) and len(path) > length
            known, found = length + int(named), field
    return known, found


def is_named(field: SettingField) -> bool:
    """Whether a field holds entries by a name of the person's choice."""
    return field.words == _BY_NAME


def keys_under(path: Sequence[str | int]) -> tuple[str, ...]:
    """Return the keys a section knows; () where there is no section or any name may stand."""
    if not path:
        return tuple(Settings.model_fields)
    known, field = match(path)
    if field is None or field.section is None or known != len(path):
        return ()
    if is_named(field) and len(field.path) == len(path):
        return ()
    return tuple(field.section.model_fields)


_BY_NAME = "entries by name"


def _inner_section(annotation: Any) -> tuple[type[Section] | None, bool]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation, False
    origin, args = get_origin(annotation), get_args(annotation)
    if origin is dict and isinstance(args[1], type) and issubclass(args[1], Section):
        return args[1], True
    for arg in args if origin in {Union, types.UnionType} else ():
        inner, named = _inner_section(arg)
        if inner is not None:
            return inner, named
    return None, False


def _words(annotation: Any, metadata: Sequence[Any] = ()) -> str:
    inner, named = _inner_section(annotation)
    if inner is not None:
        return _BY_NAME if named else "a section"
    return _value_words(annotation) + "".join(_bound(item) for item in metadata)


def _value_words(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return _one_of([str(member.value) for member in annotation])
    origin, args = get_origin(annotation), get_args(annotation)
    return _WORDS[annotation] if origin is None else _compound_words(origin, args)


def _compound_words(origin: Any, args: Sequence[Any]) -> str:
    if origin is Annotated:
        return _value_words(args[0]) + "".join(_bound(item) for item in args[1:])
    if origin is Literal:
        return _one_of([str(arg) for arg in args])
    if origin is dict:
        if isinstance(args[1], type) and issubclass(args[1], Enum):
            return f"keys with {_value_words(args[1])}"
        return "keys with any values" if args[1] is Any else "keys with text"
    if origin is tuple:
        count = "" if args[-1] is Ellipsis else f"{len(args)} "
        return f"a list of {count}{_value_words(args[0]).removeprefix('a ')}s"
    return " or ".join(_value_words(arg) for arg in args if arg is not type(None))


def _one_of(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"{', '.join(values[:-1])} or {values[-1]}"


def _bound(item: Any) -> str:
    match item:
        case Ge(ge=limit):
            return f", at least {_plain(limit)}"
        case Gt(gt=limit):
            return f", more than {_plain(limit)}"
        case Le(le=limit):
            return f", at most {_plain(limit)}"
        case FieldInfo():
            return "".join(_bound(inner) for inner in item.metadata)
        case _:
            return ""


def _default(info: FieldInfo) -> str | None:
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True)
    if value is None or isinstance(value, Section) or value in ((), {}):
        return None
    return _plain(value)


def _plain(value: Any) -> str:
    match value:
        case SecretStr():
            return value.get_secret_value()
        case timedelta():
            return write_duration(value)
        case Enum():
            return str(value.value)
        case bool():
            return "true" if value else "false"
        case _:
            return str(value)
