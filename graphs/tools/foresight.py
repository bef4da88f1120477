"""Foresight: what the tools of a role would be asked about, before any of its work begins."""

from collections.abc import Iterator
from typing import Any

from agents.roster import ROSTER
from noctule.core.base.roles import Role
from noctule.core.settings import Settings
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.permissions import Act
from tools.base.tool import Tool
from tools.registry import Toolbox

_OWN_WORDS = "the session is private"
_MADE_UP = "addresses the agent makes up could carry out what it has read"


def acts_of(
    role: Role,
    toolbox: Toolbox,
    settings: Settings,
    *,
    flaw: str | None,
    private: bool,
    reads_private: bool,
) -> Iterator[Act]:
    """Yield what a role may do, as far as it is known before it does it: acts on nothing yet.

    Args:
        role: who.
        toolbox: need not be open, nor hold the functions of ``tools.folder``.
        settings: the configuration.
        flaw: why commands have no sandbox here; None: they have one.
        private: whether the session is.
        reads_private: whether it will read what is the person's alone, like a folder of theirs.
    """
    usual = ROSTER[role].tools
    for tool in toolbox.for_role(role, usual):
        if getattr(tool, "server", None) is None:
            yield _act(tool, flaw=flaw, private=private, reads_private=reads_private)
    if settings.tools.folder is not None and toolbox.takes_own(role, usual):
        needs = _OWN_WORDS if private else None
        yield Act(tool="own", family="own", effect=EffectClass.OUTSIDE, needs_person=needs)
    for name in toolbox.servers_of(role, usual):
        yield Act(
            tool=f"{name}_",
            family="mcp",
            effect=EffectClass.OUTSIDE,
            server=name,
            default=settings.tools.mcp[name].permission,
            needs_person=_OWN_WORDS if private else None,
        )


def _act(tool: Tool[Any], *, flaw: str | None, private: bool, reads_private: bool) -> Act:
    runs = tool.family == "shell"
    tells = private and (tool.family == "web" or tool.effect is EffectClass.OUTSIDE)
    return Act(
        tool=tool.name,
        family=tool.family,
        effect=EffectClass.OUTSIDE if runs and flaw is not None else tool.effect,
        default=tool.permission,
        needs_person=flaw if runs else _OWN_WORDS if tells else None,
        leaves=_MADE_UP if reads_private and tool.name == "fetch" else None,
    )
