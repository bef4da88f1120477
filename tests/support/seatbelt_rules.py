"""A small reader of Seatbelt profiles: which rule decides about an operation on a path.

Of the rules that fit the last one decides (observed on macOS; Apple documents nothing). Because
other orders are told of, too, it can be asked by those.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

Form = str | list["Form"]

_TOKEN = re.compile(r'\s*(?:([()])|"((?:[^"\\]|\\.)*)"|([^\s()"]+))', re.DOTALL)


class Order(Enum):
    """Which of the rules that fit decides."""

    LAST = auto()
    DENY = auto()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule.

    Args:
        allows: whether it does.
        operations: their names, perhaps with a ``*`` at the end.
        filters: any of them must fit; none: it fits always.
    """

    allows: bool
    operations: tuple[str, ...]
    filters: tuple[Form, ...]


class Profile:
    """A profile that was read.

    Args:
        text: in the language of Seatbelt.
        parameters: values of ``(param "NAME")``.

    Raises:
        ValueError: it is not balanced, or does not begin by denying everything.
    """

    def __init__(self, text: str, parameters: dict[str, str]) -> None:
        forms = _read(text)
        if forms[:2] != [["version", "1"], ["deny", "default"]]:
            raise ValueError(f"not a profile that denies by default: {forms[:2]}")
        self._parameters = parameters
        self.rules = [_rule(form) for form in forms[2:]]

    def allows(self, operation: str, path: Path | None = None, order: Order = Order.LAST) -> bool:
        """Whether an operation may happen, on a path if it has one."""
        place = None if path is None else str(path)
        fitting = [rule.allows for rule in self.rules if self._fits(rule, operation, place)]
        if order is Order.DENY:
            return bool(fitting) and all(fitting)
        return bool(fitting) and fitting[-1]

    def _fits(self, rule: Rule, operation: str, path: str | None) -> bool:
        if not any(
            name == operation or (name.endswith("*") and operation.startswith(name[:-1]))
            for name in rule.operations
        ):
            return False
        return not rule.filters or any(self._filter(one, path) for one in rule.filters)

    def _filter(self, form: Form, path: str | None) -> bool:
        name, *rest = _list(form)
        if name == "require-all":
            return all(self._filter(one, path) for one in rest)
        if name == "require-not":
            return not self._filter(rest[0], path)
        if name not in ("literal", "subpath") or path is None:
            return False
        told = rest[0]
        place = told if isinstance(told, str) else self._parameters[str(told[1])]
        return path == place or (name == "subpath" and path.startswith(f"{place}/"))


def _list(form: Form) -> Sequence[Form]:
    if isinstance(form, str):
        raise TypeError(f"a word where a list was expected: {form}")
    return form


def _rule(form: Form) -> Rule:
    verb, *rest = _list(form)
    operations = [one for one in rest if isinstance(one, str)]
    filters = [one for one in rest if not isinstance(one, str)]
    if verb not in ("allow", "deny") or not operations:
        raise ValueError(f"no rule: {form}")
    return Rule(verb == "allow", tuple(operations), tuple(filters))


def _read(text: str) -> list[Form]:
    stack: list[list[Form]] = [[]]
    at = 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"cannot be read at {text[at : at + 20]!r}")
        at = match.end()
        bracket, string, atom = match.groups()
        if bracket == "(":
            stack.append([])
        elif bracket == ")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(atom or re.sub(r"\\(.)", r"\1", string))
    if len(stack) != 1:
        raise ValueError("not balanced")
    return stack[0]


def writes(profile: Profile, path: Path, order: Order) -> Sequence[str]:
    """Return the operations by which a path may be changed."""
    every = ("data", "create", "unlink", "mode", "owner", "flags", "times", "xattr", "acl")
    return [one for one in every if profile.allows(f"file-write-{one}", path, order)]
