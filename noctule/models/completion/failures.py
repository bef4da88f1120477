"""Every exception that can leave a provider's client, explained as a refusal.

Classes are recognised by their names, so that explaining imports no client library: whoever
raised one has imported it already. Names checked 2026-11 against openai 3, anthropic, ollama 0.6,
httpx 0.28, httpx2 2.16, langchain-core 1.7, langchain-openai 1.7.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from noctule.core.errors import ModelFailureError
from noctule.core.provider_errors.classify import classify
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import ProviderResponse, read_refusal
from noctule.core.provider_errors.provider_words import shorten
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.times.windows import Window

_TIMEOUTS = frozenset(
    {
        "builtins.TimeoutError",
        "openai.APITimeoutError",
        "anthropic.APITimeoutError",
        "httpx.TimeoutException",
        "httpx2.TimeoutException",
        "httpcore.TimeoutException",
        "httpcore2.TimeoutException",
        "langchain_core.ModelTimeoutError",
    }
)
_CONNECTIONS = frozenset(
    {
        "openai.APIConnectionError",
        "anthropic.APIConnectionError",
        "httpx.TransportError",
        "httpx2.TransportError",
        "langchain_core.ModelConnectionError",
        "builtins.OSError",
    }
)
_TORN = frozenset(
    f"{library}.{name}"
    for library in ("httpx", "httpx2", "httpcore", "httpcore2")
    for name in ("RemoteProtocolError", "ReadError")
)
_NEVER_SENT = frozenset(
    {
        "httpx.ConnectError",
        "httpx.ConnectTimeout",
        "httpx.PoolTimeout",
        "httpx.UnsupportedProtocol",
        "httpx.ProxyError",
        "httpx2.ConnectError",
        "httpx2.ConnectTimeout",
        "httpx2.PoolTimeout",
        "httpx2.UnsupportedProtocol",
        "httpx2.ProxyError",
        "builtins.ConnectionRefusedError",
        "socket.gaierror",
    }
)
"""Raised before a byte of the request left: while a connection was looked for, or refused."""

_OUTCOMES = {
    "asyncio.CancelledError": Outcome.CANCELLED,
    "concurrent.CancelledError": Outcome.CANCELLED,
    "builtins.KeyboardInterrupt": Outcome.CANCELLED,
    "builtins.SystemExit": Outcome.CANCELLED,
    "builtins.GeneratorExit": Outcome.CANCELLED,
    "langchain_core.ContextOverflowError": Outcome.CONTEXT_OVERFLOW,
    "langchain_core.OutputParserException": Outcome.MALFORMED_TOOL_CALL,
    "openai.LengthFinishReasonError": Outcome.MALFORMED_TOOL_CALL,
    "openai.ContentFilterFinishReasonError": Outcome.CONTENT_FILTERED,
    "langchain_openai.OpenAIRefusalError": Outcome.CONTENT_FILTERED,
}
"""Classes that say by themselves what happened, whatever the answer reads like."""

_STATUSES = {
    "langchain_core.ModelAuthenticationError": 401,
    "langchain_core.ModelPermissionDeniedError": 403,
    "langchain_core.ModelInvalidRequestError": 400,
    "langchain_core.ModelNotFoundError": 404,
    "langchain_core.ModelRateLimitError": 429,
    "langchain_core.ModelAPIError": 500,
}
"""What LangChain's classes stand for, where an integration kept no response."""

_COMPLAINTS = frozenset(
    {
        "builtins.ValueError",
        "builtins.TypeError",
        "openai.OpenAIError",
        "anthropic.AnthropicError",
        "httpx.LocalProtocolError",
        "httpx2.LocalProtocolError",
    }
)
_UNREADABLE = {
    "json.JSONDecodeError": "the answer is not JSON",
    "builtins.UnicodeDecodeError": "the answer is not UTF-8",
    "pydantic_core.ValidationError": "the answer is not in the provider's own format",
}


def explain(
    error: BaseException,
    *,
    now: datetime,
    window: Window | None = None,
    consecutive: int = 0,
    url: str = "",
) -> Refusal:
    """Say what an exception of a provider's client means; never raises.

    What nothing recognises is ``unavailable`` with the class's name in the message.

    Args:
        error: what was raised; one of our own keeps the refusal it carries.
        now: when it was raised, aware.
        window: the endpoint's configured window; None when it has none.
        consecutive: refusals of this model in a row before this one.
        url: where the endpoint is, which tells the zone of times without one; "" leaves it to
            the address that the error carries.
    """
    try:
        return _explain(error, now=now, window=window, consecutive=consecutive, url=url)
    except Exception as trouble:  # noqa: BLE001 - an exception that cannot even be read is one more outage
        name = type(error).__name__
        return Refusal(
            Outcome.UNAVAILABLE, name, note=f"{name} could not be read: {type(trouble).__name__}"
        )


def was_torn(error: BaseException) -> bool:
    """Whether a connection broke after it had been made: the server is there and may answer anew.

    A server that closes an idle connection in the moment of the request looks like that too.
    """
    return any(_names(cause) & _TORN for cause in _chain(error))


def _explain(
    error: BaseException, *, now: datetime, window: Window | None, consecutive: int, url: str
) -> Refusal:
    if isinstance(error, ModelFailureError):
        return error.refusal
    if isinstance(error, BaseExceptionGroup):
        first = error.exceptions[0]
        return explain(first, now=now, window=window, consecutive=consecutive, url=url)
    names = _names(error)
    carried = getattr(error, "answer", None)
    if not isinstance(carried, ProviderResponse):  # a script's refusal carries it as it is
        carried = None
    answer = carried or _answer(error, names) or _complaint(error, names)
    refusal = None
    if answer is not None:
        answer = replace(answer, url=url or answer.url or _address(error))
        refusal = read_refusal(answer, now=now, window=window, consecutive=consecutive)
        refusal = replace(refusal, answered=True)
    known = next((_OUTCOMES[name] for name in _OUTCOMES if name in names), None)
    if known is not None and (refusal is None or refusal.outcome is not known):
        return Refusal(known, refusal.message if refusal else _described(error))
    return refusal or _explain_without_answer(error, names)


def _explain_without_answer(error: BaseException, names: frozenset[str]) -> Refusal:
    for name, meaning in _UNREADABLE.items():
        if name in names:
            return Refusal(Outcome.UNAVAILABLE, meaning, note=_described(error))
    never_sent = _was_never_sent(error)
    if names & _TIMEOUTS:
        return Refusal(Outcome.TIMEOUT, _described(error), never_sent=never_sent)
    if names & _CONNECTIONS:
        return Refusal(Outcome.UNAVAILABLE, _described(_root(error)), never_sent=never_sent)
    return Refusal(Outcome.UNAVAILABLE, _described(error))


def _was_never_sent(error: BaseException) -> bool:
    """Say whether an error, or what caused it, shows that there was no connection to send on.

    Ollama's client raises a bare ConnectionError for that, and hides the cause.
    """
    return type(error) is ConnectionError or any(
        _names(cause) & _NEVER_SENT for cause in _chain(error)
    )


def _names(error: BaseException) -> frozenset[str]:
    """Return the error's class and its bases, each as top-level package and name."""
    return frozenset(f"{c.__module__.split('.')[0]}.{c.__name__}" for c in type(error).__mro__)


def _answer(error: BaseException, names: frozenset[str]) -> ProviderResponse | None:
    """Return the provider's answer that an exception carries; None when there was none."""
    if names & _UNREADABLE.keys():
        return None  # langchain-openai adds the response: what the model said is no refusal
    if "ollama.ResponseError" in names:
        status = getattr(error, "status_code", -1)
        return ProviderResponse(
            status if status > 0 else None, body=_as_body(getattr(error, "error", ""))
        )
    response = getattr(error, "response", None)
    if isinstance(getattr(response, "status_code", None), int):
        return _from_response(error, response)
    said = error.args[0] if error.args else None
    if "builtins.ValueError" in names and isinstance(said, dict):
        return ProviderResponse(
            None, body=_as_body(said)
        )  # langchain-openai: a 200 that is an error
    body = getattr(error, "body", None)
    if body is not None and names & {"openai.APIError", "anthropic.APIError"}:
        return ProviderResponse(None, body=_as_body(body))
    status = next((code for name, code in _STATUSES.items() if name in names), None)
    return None if status is None else ProviderResponse(status, body=_as_body(str(error)))


def _from_response(error: BaseException, response: object) -> ProviderResponse | None:
    status = getattr(response, "status_code", None)
    headers = {str(k): str(v) for k, v in dict(getattr(response, "headers", {})).items()}
    body = getattr(error, "body", None)
    if status != 200:  # noqa: PLR2004 - OK
        return ProviderResponse(status, headers, _text(response) or _as_body(body or ""))
    if body is not None:
        return ProviderResponse(None, headers, _as_body(body))  # an error inside a stream
    whole = ProviderResponse(None, headers, _text(response))
    return whole if isinstance(whole.json, dict) and whole.json.get("error") else None


def _address(error: BaseException) -> str:
    """Return where the request went that an SDK's error is about; "" when it does not tell."""
    try:
        return str(getattr(getattr(error, "request", None), "url", ""))
    except RuntimeError:  # httpx, where no request was set
        return ""


def _text(response: object) -> str:
    try:
        return str(getattr(response, "text", ""))
    except Exception:  # noqa: BLE001 - a stream that was never read has no text, in several classes' words
        return ""


def _complaint(error: BaseException, names: frozenset[str]) -> ProviderResponse | None:
    """Return what a client library says by itself, where that says what is wrong.

    Both SDKs complain about a missing key before they send anything, httpx about one that cannot
    stand in a header.
    """
    if not names & _COMPLAINTS or names & (_UNREADABLE.keys() | _TIMEOUTS):
        return None
    complaint = ProviderResponse(None, body=_as_body(str(_root(error))))
    return None if classify(complaint).outcome is Outcome.UNAVAILABLE else complaint


def _as_body(error: object) -> str:
    """Write an error object the way providers do; text that is JSON already stays as it is."""
    if isinstance(error, str):
        try:
            json.loads(error)
        except ValueError:
            return json.dumps({"error": error}) if error else ""
        return error
    wrapped = isinstance(error, dict) and "error" in error
    return json.dumps(error if wrapped else {"error": error}, default=str)


def _root(error: BaseException) -> BaseException:
    """Return the deepest cause with words: "Connection error." says nothing, its cause does."""
    return next((cause for cause in reversed(list(_chain(error))) if str(cause)), error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (
            None if current.__suppress_context__ else current.__context__
        )


def _described(error: BaseException) -> str:
    words = shorten(str(error))
    name = type(error).__name__
    return f"{name}: {words}" if words else name
