"""Who serves which role in a first configuration, and who stands in from another account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from noctule.setup.hosted import HostedService
from noctule.setup.recommend import Picked, calls_tools


@dataclass(frozen=True, slots=True)
class Bound:
    """One role.

    Args:
        role: its name.
        models: by their configured names: the primary, then who stands in.
        keys: further keys, as they are written.
        hosted: whether one of its models costs money.
    """

    role: str
    models: tuple[str, ...]
    keys: tuple[str, ...] = ()
    hosted: bool = False


@dataclass(frozen=True, slots=True)
class Hosted:
    """A hosted service under the names its models got.

    Args:
        service: which.
        quick: the configured name of its everyday model.
        strong: that of the model for what is hard.
    """

    service: HostedService
    quick: str
    strong: str


def bind(picked: Picked | None, names: Mapping[str, str], hosted: Sequence[Hosted]) -> list[Bound]:
    """Return what each role is bound to.

    Stand-ins are on other accounts than the primary where there are any: a second model of the
    same account is refused together with the first.

    Args:
        picked: local models; None when there are none.
        names: their configured names.
        hosted: services, the preferred one first; [] uses none.
    """
    local = _Local(picked, names)
    plain, calls = ("thinking: false",), local.calls_tools
    quick = [one.quick for one in hosted]
    strong = [one.strong for one in hosted]
    escalate = (f"escalate: {strong[0]}",) if strong and strong[0] != quick[0] else ()
    chat = local.of("quick") if calls else []
    return [
        _bound("chat", hosted, [chat, quick, local.quick_first()], plain),
        _bound(
            "orchestrator",
            hosted,
            [local.of("quick"), quick, local.quick_first()],
            (*plain, "max_tokens: 200"),
        ),
        _bound("engineer", hosted, [local.of("coder") if calls else [], strong, local.coding()]),
        _bound("research", hosted, [quick, local.of("able"), local.quick_first()], escalate),
        _bound("writer", hosted, [quick, local.of("strong"), local.quick_first()]),
        _bound(
            "utility",
            hosted,
            [local.of("quick"), quick, local.quick_first()],
            (*plain, "tools: []"),
        ),
    ]


def _bound(
    role: str,
    hosted: Sequence[Hosted],
    groups: Sequence[Sequence[str]],
    keys: tuple[str, ...] = (),
) -> Bound:
    models = tuple(dict.fromkeys(name for group in groups for name in group))
    if len(hosted) == 1 and len(models) == 1:  # one account alone: better its other model than none
        models = tuple(dict.fromkeys((*models, hosted[0].quick, hosted[0].strong)))
    return Bound(role, models, keys, bool(hosted))


class _Local:
    """The picked local models by what they do; nothing where there are none."""

    def __init__(self, picked: Picked | None, names: Mapping[str, str]) -> None:
        self._picked = picked
        self._names = names

    @property
    def calls_tools(self) -> bool:
        """Whether one of them is worth offering tools to."""
        return self._picked is not None and calls_tools(self._picked.able)

    def of(self, part: str) -> list[str]:
        """Return the name of one of them."""
        return [] if self._picked is None else [self._names[getattr(self._picked, part).name]]

    def quick_first(self) -> list[str]:
        """Return all that do everyday work, the smallest first."""
        return [*self.of("quick"), *self.of("able"), *self.of("strong")]

    def coding(self) -> list[str]:
        """Return all that may write code."""
        return [*self.of("coder"), *self.of("able"), *self.of("quick")]
