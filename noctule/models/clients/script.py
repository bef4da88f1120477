"""What a scripted endpoint plays: the format of its YAML file, and how a line is chosen.

The guide with examples is ``docs/guides/scripted.md``.
"""

import json
import re
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BeforeValidator, Field, ValidationError

from noctule.core.errors import ConfigError, Problem
from noctule.core.settings.base import Section
from noctule.core.times.durations import Duration

FOREVER = "forever"


def _as_regex(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return re.compile(value, re.IGNORECASE | re.DOTALL)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error


def _as_lines(value: object) -> object:
    return [{"reply": value, "times": FOREVER}] if isinstance(value, str) else value


Regex = Annotated[re.Pattern[str], BeforeValidator(_as_regex)]


class ScriptedError(Section):
    """An HTTP answer that is no reply."""

    status: int = Field(ge=100, le=599)
    """The HTTP status."""

    headers: dict[str, str] = Field(default_factory=dict)
    """Response headers, like ``Retry-After``."""

    body: dict[str, Any] | str = ""
    """The body: an object is sent as JSON, text as it is."""

    @property
    def text(self) -> str:
        """The body as it would come over the wire."""
        return self.body if isinstance(self.body, str) else json.dumps(self.body)


class ScriptedUsage(Section):
    """Token counts the endpoint reports; what is unset it does not report."""

    input: int | None = Field(default=None, ge=0)
    """Everything sent, cached tokens included."""

    output: int | None = Field(default=None, ge=0)
    """Everything received, thinking included."""

    cached: int | None = Field(default=None, ge=0)
    """The part of ``input`` read from the cache."""

    cache_write: int | None = Field(default=None, ge=0)
    """The part of ``input`` written to the cache."""

    reasoning: int | None = Field(default=None, ge=0)
    """The part of ``output`` spent thinking."""


class ScriptedToolCall(Section):
    """One tool call of a reply."""

    name: str
    """The tool."""

    args: dict[str, Any] | str = Field(default_factory=dict)
    """Its arguments; text is sent as it is, so that broken JSON can be played."""

    id: str | None = None
    """The call's id. Unset means ``call-N``, counted over the endpoint's life."""


class Line(Section):
    """One thing the endpoint plays, and when."""

    match: Regex | None = None
    """A regular expression searched for in the last user message, whatever its case. Unset
    matches every message."""

    system: Regex | None = None
    """The same for the text of the system message."""

    after: int | None = Field(default=None, ge=0)
    """How many tool results follow the last user message: 0 before the first call. Steps of a
    tool loop that name it are found again after a restart. Unset: any number."""

    times: int | Literal["forever"] | None = None
    """How often it plays. Unset means ``forever`` with a ``match``, ``system`` or ``after``, else
    once: lines without them are a sequence."""

    reply: str = ""
    """The text; ``{user}`` in it stands for the last user message, ``{result}`` for the last tool
    result."""

    thinking: str = ""
    """What it thinks before it replies."""

    tool_calls: tuple[ScriptedToolCall, ...] = ()
    """Tools it calls after the text."""

    usage: ScriptedUsage | Literal["counted", "unknown"] = "counted"
    """``counted``: a token per word, sent and received. ``unknown``: nothing is reported."""

    cost_usd: Decimal | None = Field(default=None, ge=0)
    """The cost it reports. Unset means none is reported."""

    finish: str | None = "auto"
    """The finish reason; ``auto``: ``tool_calls`` or ``stop``. Null: it ends without one, like a
    torn stream."""

    delay: Duration | None = None
    """Time before the first token. Unset means the script's."""

    per_token: Duration | None = None
    """Time before each further token. Unset means the script's."""

    error: ScriptedError | None = None
    """Answer with this instead of a reply."""

    refuse_connection: bool = False
    """Fail as if nobody listened."""

    tear_after: int | None = Field(default=None, ge=0)
    """End the stream without a finish reason after so many tokens."""

    stall_after: int | None = Field(default=None, ge=0)
    """Say nothing more after so many tokens, until the caller gives up; 0 never begins."""

    fail_after: int | None = Field(default=None, ge=0)
    """With ``error``: send so many tokens of the reply before it."""

    @property
    def plays(self) -> int | None:
        """How often it plays; None means for ever."""
        if self.times is None:
            conditional = self.match or self.system or self.after is not None
            return None if conditional else 1
        return None if self.times == FOREVER else int(self.times)

    @property
    def breaks_after(self) -> int | None:
        """How many tokens of the reply come before it breaks off; None means all of it."""
        if self.error is not None:
            return self.fail_after or 0
        return self.tear_after if self.stall_after is None else self.stall_after

    def fits(self, user: str, system: str, results: int = 0) -> bool:
        """Whether it answers this user message under this system message.

        Args:
            user: the last user message.
            system: the system message.
            results: how many tool results follow the user message.
        """
        return (
            (self.match is None or bool(self.match.search(user)))
            and (self.system is None or bool(self.system.search(system)))
            and (self.after is None or self.after == results)
        )


Lines = Annotated[tuple[Line, ...], BeforeValidator(_as_lines)]


class Script(Section):
    """Everything a scripted endpoint plays."""

    models: dict[str, Lines] = Field(default_factory=dict)
    """Lines by the model's name in the configuration; ``"*"`` stands for models not named. A text
    instead of a list is a reply for ever. A model whose lines are used up echoes."""

    delay: Duration = Field(default=timedelta(0))
    """Time before the first token of every reply."""

    per_token: Duration = Field(default=timedelta(0))
    """Time before each further token of every reply."""

    log: Path | None = None
    """A file that gets a line of JSON at the start and at the end of each call, also when the
    process is killed in between. A relative path starts at the script's folder."""

    @classmethod
    def load(cls, path: Path) -> "Script":
        """Read a script.

        Raises:
            ConfigError: it cannot be read or is no script; names every problem.
        """
        try:
            read = yaml.safe_load(path.read_text(encoding="utf-8"))
            script = cls.model_validate({} if read is None else read)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([_unreadable(path, error)]) from error
        except yaml.YAMLError as error:
            raise ConfigError([_no_yaml(path, error)]) from error
        except ValidationError as error:
            raise ConfigError(_problems(path, error)) from error
        if script.log is None or script.log.is_absolute():
            return script
        return script.model_copy(update={"log": path.parent / script.log})

    def lines_for(self, model: str) -> Sequence[Line]:
        """Return the lines of a model."""
        return self.models.get(model, self.models.get("*", ()))


def _unreadable(path: Path, error: Exception) -> Problem:
    return Problem(
        file=str(path),
        line=None,
        path="",
        message=f"the script cannot be read: {error}",
        fix="correct `script:` of the endpoint, or leave it out to have it echo.",
    )


def _no_yaml(path: Path, error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None)
    return Problem(
        file=str(path),
        line=mark.line + 1 if mark else None,
        path="",
        message=f"it is not YAML: {getattr(error, 'problem', None) or error}",
        fix="`noctule docs scripted` shows the format.",
    )


def _problems(path: Path, error: ValidationError) -> list[Problem]:
    return [
        Problem(
            file=str(path),
            line=None,
            path=".".join(str(part) for part in found["loc"]),
            message=found["msg"],
            fix="`noctule docs scripted` lists the fields of a script.",
        )
        for found in error.errors(include_input=False)
    ]
