"""Every error of Noctule, split by who must act.

::

    NoctuleError
    ├── ModelFailureError        the model or its provider: the next candidate is asked
    ├── LimitError               nobody may answer before a known time: park until then
    ├── PersonMustActError       a person: log in, pay, choose, start a server
    │   ├── ConfigError          ... mend the configuration (all its problems at once)
    │   ├── NoModelError         ... no candidate can serve the call, and waiting cures nothing
    │   │   └── NoServerError    ... none ever answered here, and no server can be reached
    │   ├── NotFoundError        ... name something that exists
    │   │   └── AmbiguousIdError ... type more of the id
    │   ├── DatabaseTooNewError  ... upgrade Noctule, or use the older database
    │   ├── DatabaseBusyError    ... end the other process, or wait
    │   ├── StorageError         ... mend the folder, disk, file, server or login
    │   │   └── StorageUnavailableError  ... or wait: it does not answer at present
    │   └── EmbeddedModelError   ... install or name weights that llama.cpp can serve
    ├── SupersededError          nobody: another worker carries the session on
    └── OurBugError              us: report it
        └── IllegalMoveError     ... a turn was moved against the table of moves

Every message says what happened, to what, and what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noctule.core.llm.limits import LimitKey
    from noctule.core.provider_errors.refusals import Evidence, Refusal


class NoctuleError(Exception):
    """An error Noctule can explain; its ``str()`` is a sentence for people."""

    exit_code = 1


class ModelFailureError(NoctuleError):
    """One attempt failed; carries what it taught.

    Args:
        refusal: class, wait and evidence.
        partial_text: what had been streamed before it broke; "" when nothing was.
    """

    def __init__(self, refusal: "Refusal", partial_text: str = "") -> None:
        super().__init__(f"{refusal.outcome.value}: {refusal.message}")
        self.refusal = refusal
        self.partial_text = partial_text


class LimitError(NoctuleError):
    """No capable model is available before a certain time; the turn parks.

    Args:
        role: whose call it was.
        reason: the refusal in the provider's own words.
        retry_at: the earliest time worth trying, aware, margin included; None when nobody
            knows, and a person has to act.
        evidence: where the time came from.
        model: the model whose limit is the earliest.
        tried: one line per candidate, what came of it.
        key: the limit a wake waits for; None when it was over before the call had ended.
        asked: whether that model was asked by this call, rather than passed over.
    """

    exit_code = 75

    def __init__(  # noqa: PLR0913 - what a parking is made of
        self,
        *,
        role: str,
        reason: str,
        retry_at: datetime | None,
        evidence: "Evidence | None",
        model: str,
        tried: Sequence[str],
        key: "LimitKey | None" = None,
        asked: bool = True,
    ) -> None:
        is_budget = key is not None and key.is_budget
        if retry_at is not None:
            shows = "budgets" if is_budget else "limits"
            until = f"until {retry_at.isoformat()}"
            then = f"The session sleeps till then; `noctule {shows}` shows why, `noctule sessions "
            then += "resume` tries at once."
        elif is_budget:
            until = "until somebody raises the budget"
            then = "`noctule budgets raise` does it for a run; then it goes on."
        else:
            until = "and no reset time is known"
            then = "It is not asked again until a person acts: see what the provider wants, then "
            then += "`noctule limits clear` and `noctule sessions resume`."
        super().__init__(
            f"{role}: every model it may use is refused {until} ({model}: {reason}). {then}"
        )
        self.role = role
        self.reason = reason
        self.retry_at = retry_at
        self.evidence = evidence
        self.model = model
        self.tried = tuple(tried)
        self.key = key
        self.asked = asked


class PersonMustActError(NoctuleError):
    """A person has to act; waiting would not help."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a configuration.

    Args:
        file: the file it stands in.
        line: counted from 1; None when it is about something that is missing.
        path: dotted path of the key, like ``roles.chat.primary``; "" when it is about the file.
        message: what is wrong.
        fix: what to write or do instead.
    """

    file: str
    line: int | None
    path: str
    message: str
    fix: str

    def __str__(self) -> str:
        """One line: file:line: path: message. Fix."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        where = f"{place}: {self.path}" if self.path else place
        return f"{where}: {self.message} Fix: {self.fix}"


class ConfigError(PersonMustActError):
    """The configuration cannot be used; lists every problem found, not only the first."""

    exit_code = 2

    def __init__(self, problems: Sequence[Problem]) -> None:
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"The configuration has {count}:\n" + "\n".join(f"  {p}" for p in problems)
        )
        self.problems = tuple(problems)


class UsageError(PersonMustActError):
    """A command was given arguments that contradict each other or make no sense."""

    exit_code = 2


class NoModelError(PersonMustActError):
    """No candidate of a role can serve a call, and waiting would not help.

    Args:
        role: whose call it was.
        reasons: one line per candidate.
        advice: what would make it work.
    """

    def __init__(self, *, role: str, reasons: Sequence[str], advice: str) -> None:
        super().__init__(
            f"{role}: no model could answer. "
            + " ".join(f"{r.rstrip('.')}." for r in reasons)
            + f" {advice}"
        )
        self.role = role
        self.reasons = tuple(reasons)
        self.advice = advice


class NoServerError(NoModelError):
    """No model has ever answered here, and nothing can be reached where one should be.

    Args:
        role: whose call it was.
        places: where it was looked for, like ``http://127.0.0.1:11434 (endpoint local)``.
        start: what to start, as a clause.
    """

    def __init__(self, *, role: str, places: Sequence[str], start: str) -> None:
        reasons = [f"No model server can be reached at {' or '.join(places)}."]
        advice = (
            "`noctule init` looks for models and writes a configuration; `noctule demo` shows "
            f"Noctule without any.\nOr {start}, and say it again."
        )
        super().__init__(role=role, reasons=reasons, advice=advice)
        self.args = (f"{reasons[0]}\n{advice}",)


class NotFoundError(PersonMustActError):
    """A named session, turn or attempt does not exist."""

    exit_code = 2

    def __init__(self, what: str, name: str, listing: str) -> None:
        super().__init__(f"There is no {what} {name!r}. `{listing}` lists what there is.")


class AmbiguousIdError(NotFoundError):
    """Several ids start or end like the one that was typed."""

    def __init__(self, what: str, name: str, listing: str) -> None:
        PersonMustActError.__init__(
            self,
            f"More than one {what} fits {name!r}. Type more of the id; `{listing}` lists them.",
        )


class DatabaseTooNewError(PersonMustActError):
    """The database was written by a newer Noctule."""

    exit_code = 2


class DatabaseBusyError(PersonMustActError):
    """The database or data folder is held by another process."""


class EmbeddedModelError(PersonMustActError):
    """The embedded model cannot be served: weights missing or wrong, or it will not stay up."""


class StorageError(PersonMustActError):
    """The database could not store or return something: full disk, damaged file."""


class StorageUnavailableError(StorageError):
    """The database does not answer or accept writes right now; this says nothing about a turn.

    Args:
        message: the sentence for people.
        needs_person: whether somebody has to mend something first (a login, a folder), so that
            a command that starts says so and ends. A worker that was under way waits for it.
    """

    def __init__(self, message: str, *, needs_person: bool = False) -> None:
        super().__init__(message)
        self.needs_person = needs_person


class SupersededError(NoctuleError):
    """Another worker took a session over: what this one still wanted to store was rejected.

    Args:
        session_id: whose.
    """

    def __init__(self, session_id: str) -> None:
        super().__init__(
            f"Session {session_id} was taken over by another worker, which carries it on from its "
            "last stored step. What this one had not stored yet is dropped; there is nothing to do."
        )
        self.session_id = session_id


class OurBugError(NoctuleError):
    """Something that should not be possible happened; please report it."""


class IllegalMoveError(OurBugError):
    """A turn was asked to move against the table of moves in ``core.sessions.lifecycle``."""

    def __init__(self, *, turn_id: str, current: str, wanted: str) -> None:
        super().__init__(
            f"Turn {turn_id} is {current} and cannot become {wanted}. "
            "`noctule sessions show` tells how it got there; please report this."
        )
        self.current = current
        self.wanted = wanted
