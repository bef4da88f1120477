"""One turn: its attempts, route, questions and report."""

from typing import NotRequired

from typing_extensions import TypedDict


class FailureDocument(TypedDict):
    """What any command prints instead of its document when it fails (exit code 1 or 2)."""

    error: str
    """What happened and what to do, in one sentence or more."""


class SkippedDocument(TypedDict):
    """A model that was not asked."""

    model: str
    """Its configured name."""
    reason: str
    """One clause, like `refused until 18:00 (header)`."""


class InputPartsDocument(TypedDict):
    """What the tokens sent were; together they are the input tokens."""

    prompt_tokens: int
    """System prompt, tool schemas and the schema of the answer."""
    text_tokens: int
    """What is new: said by the person, or written by others for this call."""
    resent_tokens: int
    """What an earlier call had sent or answered."""
    tool_tokens: int
    """Output of tools that no earlier call has sent."""


class AttemptDocument(TypedDict):
    """One request to one model."""

    id: str
    """Sortable by start."""
    call: str
    """Shared by the attempts of one call."""
    session: str | None
    """null for calls outside a session (probes, warm-up)."""
    turn: str | None
    """null likewise."""
    role: str
    purpose: str
    """What it was for: `answer`, `route`, and others."""
    model: str
    """Its configured name."""
    endpoint: str
    """Its configured name."""
    tier: str
    local: bool
    """Whether the model ran on this machine."""
    outcome: str
    """`success`, or the class of the failure, like `rate_limited`."""
    message: str | None
    """The provider's words when it failed; null on success."""
    started_at: str
    wait_s: float
    """Seconds spent waiting for a slot before it."""
    first_token_s: float | None
    """Seconds to the first token; null when none came or nothing was streamed."""
    duration_s: float
    """Seconds from the request to its end."""
    input_tokens: int | None
    """As the provider counted them; null when it did not."""
    output_tokens: int | None
    """Likewise, thinking included."""
    cached_tokens: int | None
    """Those of the input that the provider had cached; null when it did not say."""
    reasoning_tokens: int | None
    """Those of the output that were thinking; null when it did not say."""
    cost_usd: float | None
    """null when unknown, 0 when it was free."""
    cost_source: str | None
    """Where the cost came from: `provider`, `config`, `library`, `local`; null when unknown."""
    fallback_from: str | None
    """The model of this call that was tried before it; null when it was the first."""
    skipped: list[SkippedDocument]
    """Models that were not asked before it."""
    discarded: bool
    """Whether text had been shown already and was discarded."""
    input_parts: InputPartsDocument | None
    """null when the tokens were not counted."""


class BaselineDocument(TypedDict):
    """What the same tokens would have cost on one model. Hypothetical: it was never paid."""

    model: str
    """Its configured name."""
    cost_usd: float | None
    """Of the answers whose tokens and price are known; null when there are none."""
    saved_usd: float | None
    """That less what was really spent on them, negative when it was more; null when unknown."""
    unknown: int
    """Answers that could not be priced; not in `cost_usd`."""
    counterfactual: bool
    """Always true."""


class SleepDocument(TypedDict):
    """One sleep of a turn."""

    status: str
    """`parked` or `waiting`."""
    parked_at: str
    woken_at: str | None
    """null while it sleeps, and when its turn ended without waking."""
    slept_s: float | None
    """Seconds; null where `woken_at` is."""
    sentence: str
    """Why, for people."""


class RunReportDocument(TypedDict):
    """What became of a turn."""

    parks: list[SleepDocument]
    """Oldest first."""
    slept_s: float
    """Seconds in total."""
    repeated: int
    """Requests that were sent again because a process ended in the middle."""
    cost_usd: float | None
    """Of all its attempts; null when one of them is unknown."""
    baseline: BaselineDocument | None
    """null when there is no answer or no known price to compare with."""


class RouteDocument(TypedDict):
    """Who answers a turn, and why."""

    role: str
    """The first of `roles`."""
    roles: list[str]
    """One, or several in the order of a plan."""
    by: str
    """`forced`, `rule`, `model` or `default`."""
    reason: str
    complexity: str
    """`simple`, `complex` or `escalate`."""
    confidence: float | None
    """0 to 1; null where there is none."""


class ChoiceDocument(TypedDict):
    """One answer offered."""

    value: str
    """What `noctule sessions answer` takes."""
    text: str


class QuestionDocument(TypedDict):
    """What a turn waits to hear from its person."""

    id: str
    turn: str
    kind: str
    """`question`, `approval` or `check`."""
    text: str
    shown: str
    """The text as people read it: an agent's own words are marked as quoted."""
    asked_by: str
    """`agent` for a question of an agent, else `noctule`."""
    session: str
    server: str | None
    """The MCP server of the tool; null for others."""
    workspace: str | None
    """The folder it would act in; null for the session's own."""
    covers: str | None
    """What a yes for more than once would hold for; null for what is no approval."""
    choices: list[ChoiceDocument]
    """Empty when any text is an answer."""
    tool: str | None
    """The tool that asks; null for a question of an agent."""
    subject: str | None
    """What the tool would do; null likewise."""
    asked_at: str
    answer: str | None
    """null while it is open, or sent on without one."""
    answered_by: str | None
    """null while it is open."""


class TurnDocument(TypedDict):
    """A turn at rest: what `chat`, `run`, `sessions resume` and `sessions answer` print."""

    session: str
    turn: str
    status: str
    """`queued`, `running`, `parked`, `waiting`, `done`, `failed` or `cancelled`."""
    reply: str | None
    """null when there is none (yet)."""
    route: RouteDocument | None
    """null when it was not routed."""
    attempts: list[AttemptDocument]
    cost_usd: float | None
    """Of all attempts; null when one of them is unknown."""
    wake_at: str | None
    """When it wakes by itself; null when it does not, or nothing is left to do."""
    questions: NotRequired[list[QuestionDocument]]
    """What it waits to hear; left out when there is nothing."""
    error: NotRequired[str]
    """Why there is no reply; left out when there is one."""


class RunDocument(TurnDocument):
    """What `run` prints when it followed the work."""

    report: RunReportDocument | None
    """null while the turn is unfinished."""


class DetachedDocument(TypedDict):
    """What `run --detach` prints: the work goes on elsewhere."""

    session: str
    turn: str
    status: str
    wake_at: str | None
    """When it starts (`--at`); null for now."""
