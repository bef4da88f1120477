"""The errors that leave the model layer: ours, and known to LangChain as not worth repeating.

::

    LimitError   + langchain's ModelError            ── NobodyYetError
    NoModelError + langchain's ModelError            ── NobodyError
                 + langchain's ContextOverflowError  ── TooLongError

LangChain's own retries (``with_retry`` inside its summaries, for one) leave a ``ModelError``
alone that is not marked retryable: nobody repeats a call that has been through every candidate.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from langchain_core.exceptions import ContextOverflowError, ModelError

from noctule.core.errors import LimitError, NoModelError
from noctule.core.provider_errors.refusals import Refusal


class NobodyYetError(LimitError, ModelError):
    """Every model a call may use is refused or down until later: the turn parks.

    Attributes:
        refusals: what each model said that was asked, by its configured name.
    """

    is_retryable = False
    refusals: Mapping[str, Refusal] = MappingProxyType({})


class NobodyError(NoModelError, ModelError):
    """No model can serve a call, and a person has to change something first.

    Args:
        role: whose call it was.
        reasons: one line per candidate.
        advice: what would make it work.
        refusals: what each model said that was asked, by its configured name.
    """

    is_retryable = False

    def __init__(
        self,
        *,
        role: str,
        reasons: Sequence[str],
        advice: str,
        refusals: Mapping[str, Refusal] | None = None,
    ) -> None:
        super().__init__(role=role, reasons=reasons, advice=advice)
        self.refusals = dict(refusals or {})


class TooLongError(NobodyError, ContextOverflowError):
    """A prompt fits the window of no model it may go to."""
