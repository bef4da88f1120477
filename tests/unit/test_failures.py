import asyncio
import json
import ssl
import subprocess
import sys
from typing import Any

import anthropic
import httpx
import httpx2
import ollama
import openai
import pytest
from langchain_core import exceptions as langchain_errors
from langchain_openai.chat_models.base import OpenAIContextOverflowError, OpenAIRateLimitError
from openai.types.chat import ChatCompletion
from pydantic import TypeAdapter, ValidationError

from noctule.core.errors import ModelFailureError
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.models.completion.failures import explain
from tests.support.refusal_cases import NOW

REQUEST = httpx2.Request("POST", "http://127.0.0.1/v1/chat/completions")
OLD_REQUEST = httpx.Request("POST", "http://127.0.0.1/api/chat")


def response(status: int, body: object, **headers: str) -> httpx2.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx2.Response(status, json=body, headers=named, request=REQUEST)


def old_response(status: int, text: str) -> httpx.Response:
    return httpx.Response(status, text=text, request=OLD_REQUEST)


def not_valid() -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(int).validate_python("overloaded")
    return caught.value


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


QUOTA = {
    "error": {"message": "No quota.", "type": "insufficient_quota", "code": "insufficient_quota"}
}
LONG = {"error": {"message": "Too much text.", "type": "invalid_request_error"}}
COMPLETION = ChatCompletion(id="1", choices=[], created=0, model="m", object="chat.completion")

EXPLAINED: list[tuple[BaseException, Outcome]] = [
    # A quota arrives as what LangChain calls retryable: the body decides.
    (
        OpenAIRateLimitError("no", response=response(429, QUOTA), body=QUOTA),
        Outcome.QUOTA_EXHAUSTED,
    ),
    (
        OpenAIContextOverflowError("no", response=response(400, LONG), body=LONG),
        Outcome.CONTEXT_OVERFLOW,
    ),
    (openai.APIStatusError("no", response=response(402, {}), body=None), Outcome.QUOTA_EXHAUSTED),
    (openai.APIStatusError("no", response=response(413, {}), body=None), Outcome.CONTEXT_OVERFLOW),
    (openai.AuthenticationError("no", response=response(401, {}), body=None), Outcome.AUTH),
    (openai.NotFoundError("no", response=response(404, {}), body=None), Outcome.MODEL_MISSING),
    (
        openai.APIError("no", REQUEST, body={"code": "slow_down", "message": "slow"}),
        Outcome.RATE_LIMITED,
    ),
    (openai.APIError("no", REQUEST, body={"code": 402, "message": "pay"}), Outcome.QUOTA_EXHAUSTED),
    (openai.APIError("no", REQUEST, body="server busy"), Outcome.OVERLOADED),
    (openai.APIError("no", REQUEST, body=None), Outcome.UNAVAILABLE),
    (openai.APIConnectionError(request=REQUEST), Outcome.UNAVAILABLE),
    (openai.APITimeoutError(request=REQUEST), Outcome.TIMEOUT),
    (openai.APIResponseValidationError(response=response(200, {}), body=None), Outcome.UNAVAILABLE),
    (openai.LengthFinishReasonError(completion=COMPLETION), Outcome.MALFORMED_TOOL_CALL),
    (openai.ContentFilterFinishReasonError(), Outcome.CONTENT_FILTERED),
    (openai.OpenAIError("Missing credentials. Please pass an `api_key`."), Outcome.AUTH),
    (
        anthropic.APIStatusError(
            "no",
            response=response(200, None),
            body={"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        ),
        Outcome.OVERLOADED,
    ),
    (anthropic.RateLimitError("no", response=response(429, {}), body=None), Outcome.RATE_LIMITED),
    (anthropic.APIConnectionError(request=REQUEST), Outcome.UNAVAILABLE),
    (anthropic.APITimeoutError(request=REQUEST), Outcome.TIMEOUT),
    (TypeError("Could not resolve authentication method. Expected an api_key."), Outcome.AUTH),
    (ollama.ResponseError('{"error": "model \'q\' not found"}', 404), Outcome.MODEL_MISSING),
    (ollama.ResponseError("overloaded"), Outcome.OVERLOADED),
    (ollama.ResponseError(""), Outcome.UNAVAILABLE),
    (ConnectionError("Failed to connect to Ollama."), Outcome.UNAVAILABLE),
    (httpx.ConnectError("refused"), Outcome.UNAVAILABLE),
    (httpx.ReadTimeout(""), Outcome.TIMEOUT),
    (httpx.PoolTimeout(""), Outcome.TIMEOUT),
    (httpx.RemoteProtocolError("cut"), Outcome.UNAVAILABLE),
    (
        httpx.HTTPStatusError("no", request=OLD_REQUEST, response=old_response(429, "wait")),
        Outcome.RATE_LIMITED,
    ),
    (httpx2.ReadError("cut"), Outcome.UNAVAILABLE),
    (httpx2.ConnectTimeout("slow"), Outcome.TIMEOUT),
    (json.JSONDecodeError("overloaded", "{", 0), Outcome.UNAVAILABLE),
    (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "overloaded"), Outcome.UNAVAILABLE),
    (not_valid(), Outcome.UNAVAILABLE),
    (
        ValueError({"message": "Try again in 3s", "code": "rate_limit_exceeded"}),
        Outcome.RATE_LIMITED,
    ),
    (ValueError("No generations found in stream."), Outcome.UNAVAILABLE),
    (langchain_errors.ContextOverflowError("long"), Outcome.CONTEXT_OVERFLOW),
    (langchain_errors.ModelAuthenticationError("key"), Outcome.AUTH),
    (langchain_errors.ModelPermissionDeniedError("no"), Outcome.AUTH),
    (langchain_errors.ModelInvalidRequestError("odd"), Outcome.BAD_REQUEST),
    (langchain_errors.ModelNotFoundError("gone"), Outcome.MODEL_MISSING),
    (langchain_errors.ModelRateLimitError("fast"), Outcome.RATE_LIMITED),
    (langchain_errors.ModelAPIError("broken"), Outcome.UNAVAILABLE),
    (langchain_errors.ModelConnectionError("down"), Outcome.UNAVAILABLE),
    (langchain_errors.ModelTimeoutError("slow"), Outcome.TIMEOUT),
    (langchain_errors.OutputParserException("no JSON"), Outcome.MALFORMED_TOOL_CALL),
    (TimeoutError(), Outcome.TIMEOUT),
    (OSError(113, "No route to host"), Outcome.UNAVAILABLE),
    (ssl.SSLCertVerificationError("self-signed"), Outcome.UNAVAILABLE),
    (asyncio.CancelledError(), Outcome.CANCELLED),
    (KeyboardInterrupt(), Outcome.CANCELLED),
    (ExceptionGroup("both", [httpx.ReadTimeout("slow"), ValueError("x")]), Outcome.TIMEOUT),
    (ZeroDivisionError("overloaded"), Outcome.UNAVAILABLE),
]


@pytest.mark.parametrize(("error", "outcome"), EXPLAINED, ids=lambda value: type(value).__name__)
def test_every_exception_of_a_client_is_explained(error: BaseException, outcome: Outcome):
    """Each exception that can leave a client has its class, and words."""
    refusal = explain(error, now=NOW)
    assert refusal.outcome is outcome
    assert refusal.message


def test_headers_of_an_sdk_s_error_are_read():
    """The wait of a refusal survives in the response that the exception carries."""
    error = openai.RateLimitError("no", response=response(429, {}, retry_after="7"), body=None)
    refusal = explain(error, now=NOW)
    assert refusal.evidence is Evidence.HEADER
    assert refusal.retry_at is not None
    assert (refusal.retry_at - NOW).total_seconds() == 7


def test_our_own_failure_keeps_its_refusal():
    """What was explained once is not explained again."""
    refusal = Refusal(Outcome.EMPTY_REPLY, "nothing came")
    assert explain(ModelFailureError(refusal), now=NOW) is refusal


def test_an_unknown_exception_is_named():
    """What nothing recognises is unavailable, and the message says which class it was."""
    refusal = explain(ZeroDivisionError("by zero"), now=NOW)
    assert refusal == Refusal(Outcome.UNAVAILABLE, "ZeroDivisionError: by zero")


def test_the_cause_of_a_lost_connection_is_told():
    """ "Connection error." alone helps nobody: the message is that of the cause."""
    error = caused(openai.APIConnectionError(request=REQUEST), OSError(113, "No route to host"))
    assert explain(error, now=NOW).message == "OSError: [Errno 113] No route to host"


def test_what_a_model_said_is_no_refusal():
    """An exception about an answer that came is not judged by the words of that answer."""
    error: Any = json.JSONDecodeError("Expecting value", "", 0)
    error.response = response(200, {"choices": [{"message": {"content": "prompt is too long"}}]})
    assert explain(error, now=NOW).outcome is Outcome.UNAVAILABLE


def test_a_key_that_cannot_stand_in_a_header_is_masked():
    """A key with a line break fails before anything is sent; the message does not repeat it."""
    cause = httpx2.LocalProtocolError("Illegal header value b'Bearer sk-live-0123456789\\n'")
    refusal = explain(caused(openai.APIConnectionError(request=REQUEST), cause), now=NOW)
    assert refusal.outcome is Outcome.AUTH
    assert "0123456789" not in refusal.message


def test_an_exception_that_cannot_be_read_is_survived():
    """Explaining never raises, even where printing the exception does."""

    class UnprintableError(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    refusal = explain(UnprintableError(), now=NOW)
    assert (refusal.outcome, refusal.message) == (Outcome.UNAVAILABLE, "UnprintableError")


@pytest.mark.process
def test_explaining_imports_no_client_library():
    """The module is as cheap to import as the rules it uses."""
    code = (
        "import sys, noctule.models.completion.failures\n"
        "heavy = {'openai', 'anthropic', 'ollama', 'httpx', 'httpx2', 'langchain_core'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_a_connection_that_was_never_made_counts_as_never_sent():
    """Refused, unresolved, timed out or proxied away while connecting; nothing after that."""
    never = [
        httpx.ConnectError("refused"),
        httpx2.ConnectTimeout("slow"),
        caused(openai.APIConnectionError(request=REQUEST), httpx2.ConnectError("refused")),
        caused(openai.APITimeoutError(request=REQUEST), httpx2.ConnectTimeout("slow")),
        ConnectionError("Failed to connect to Ollama"),
        ConnectionRefusedError(111, "refused"),
    ]
    perhaps = [
        httpx.ReadError("reset"),
        httpx.WriteError("broken pipe"),
        httpx.RemoteProtocolError("closed"),
        httpx.ReadTimeout("no answer"),
        caused(openai.APIConnectionError(request=REQUEST), httpx2.ReadError("reset")),
        openai.APIConnectionError(request=REQUEST),
        ConnectionResetError(104, "reset"),
        TimeoutError(),
        OSError("something"),
    ]
    sent = {repr(error): explain(error, now=NOW).never_sent for error in (*never, *perhaps)}
    assert sent == {repr(e): True for e in never} | {repr(e): False for e in perhaps}
