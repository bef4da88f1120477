"""What makes an agent: its role, its prompt, and whether it may hand a turn back."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from noctule.core.base.roles import Role

HAND_OVER = "HANDOVER:"
"""How an answer begins that hands the turn back to the orchestrator; the reason follows."""


@dataclass(frozen=True, slots=True)
class Agent:
    """One of the roles that answer.

    Args:
        role: who it is.
        speciality: what it is for, in the orchestrator's words.
        part: what it does of a request that several share, as an order.
        hands_over: whether it may say that a turn is not for it.
        tools: the tools it has when its binding does not say otherwise, by name.
    """

    role: Role
    speciality: str
    part: str
    hands_over: bool = True
    tools: tuple[str, ...] = ()

    def system_prompt(
        self,
        *,
        may_hand_over: bool,
        part: str | None = None,
        tooled: bool = False,
        lean: bool = False,
    ) -> str:
        """Return what it is told first.

        Args:
            may_hand_over: False when the person chose the role, or it was handed over before.
            part: what it does of a request that several share; None when it does all of it.
            tooled: whether it is given tools.
            lean: whether it is told in a few lines, for a small window or a weak model.
        """
        if lean and self.tools:
            return _with_part(read_prompt(f"{self.role.value}_lean"), part)
        text = read_prompt(self.role.value)
        if tooled:
            text += f"\n\n{read_prompt('tools')}\n{read_prompt('data')}"
            if self.tools:
                text += "\n" + read_prompt(f"{self.role.value}_tools")
        if self.hands_over and may_hand_over:
            text += "\n\n" + read_prompt("hand_over")
        return _with_part(text, part)


def _with_part(text: str, part: str | None) -> str:
    if part is None:
        return text
    return f"{text}\n\nOthers share this request with you. Your part: {part}"


@cache
def read_prompt(name: str) -> str:
    """Return a prompt of ``agents/prompts`` by its file name without ending."""
    return files("agents").joinpath("prompts", f"{name}.md").read_text(encoding="utf-8").strip()


def hand_over_reason(answer: str) -> str | None:
    """Return why an answer hands the turn back; None when it is an ordinary answer."""
    first_line = answer.strip().split("\n", 1)[0]
    if not first_line.startswith(HAND_OVER):
        return None
    return first_line.removeprefix(HAND_OVER).strip() or "not its kind of work"
