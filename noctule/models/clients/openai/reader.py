"""What an OpenAI-compatible server says of an answer, whole or in parts, read in one place.

The forms that servers really send, where they can only mean one thing: ``message`` or ``text`` in
place of ``delta``, content in parts, thinking under seven names, tool calls in every odd form
(``call_reader``), halves of an emoji in two chunks. Checked 2026-11.
"""

from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessageChunk

from noctule.models.clients.openai.stream import StreamTail
from noctule.models.wire.call_reader import CallReader
from noctule.models.wire.sanitizing import Mender, mended_value
from noctule.models.wire.texts import text_of, thought_of

_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking", "thought", "thoughts")
_THOUGHT_LISTS = ("reasoning_details", "thinking_blocks")


class AnswerReader:
    """Reads one answer.

    Args:
        model: the name it was asked under, where the server gives none.
        header_usd: a cost the response's headers gave; None when there was none.

    Attributes:
        tail: usage, finish reason and model.
        said_anything: whether any choice has come.
    """

    def __init__(self, model: str, *, header_usd: str | None = None) -> None:
        self.tail = StreamTail(header_usd=header_usd)
        self.said_anything = False
        self._model = model
        self._calls = CallReader()
        self._text = ""
        self._text_mender, self._thought_mender = Mender(), Mender()

    def take(self, body: Mapping[str, Any]) -> AIMessageChunk | None:
        """Return what a chunk, or a whole body, adds; None when that is nothing."""
        choice = self.tail.take(body)
        if choice is None:
            return None
        self.said_anything = True
        delta, message = choice.get("delta"), choice.get("message")
        if isinstance(delta, Mapping) and delta:
            return self._piece(delta)
        if isinstance(message, Mapping):
            return self._piece(message, whole=True)
        if isinstance(choice.get("text"), str):
            return self._piece({"content": choice["text"]})
        return None

    def end(self, *, done: bool = True) -> AIMessageChunk:
        """Return the last piece, which carries usage and finish reason.

        Args:
            done: whether the server said that this was all; an answer that does not say how it
                ended is torn then only if it did not.
        """
        last = self.tail.chunk(self._model, done=done and self.said_anything)
        last.content = self._text_mender.rest()
        if rest := self._thought_mender.rest():
            last.additional_kwargs["reasoning_content"] = rest
        return last

    def _piece(self, said: Mapping[str, Any], *, whole: bool = False) -> AIMessageChunk | None:
        text, thought = _text(said), _thought(said)
        if whole and self._text and text.startswith(self._text):
            text = text[len(self._text) :]  # the whole answer once more, or as far as it has come
        if _is_thought(said):
            text, thought = "", thought + text
        calls = self._calls.read(said.get("tool_calls") or said.get("function_call"))
        self._text += text
        kwargs: dict[str, Any] = {}
        if thought := self._thought_mender.mend(thought):
            kwargs["reasoning_content"] = thought
        if extras := self._new_extras():
            kwargs["tool_call_extras"] = extras
        text = self._text_mender.mend(text)
        if not (text or kwargs or calls):
            return None
        return AIMessageChunk(content=text, additional_kwargs=kwargs, tool_call_chunks=calls)

    def _new_extras(self) -> dict[str, Any]:
        """Return signatures that came with these calls, each once: LangChain adds texts up."""
        new, self._calls.extras = self._calls.extras, {}
        try:
            return {id_: mended_value(extra) for id_, extra in new.items()}
        except ValueError:
            return {}


def _text(said: Mapping[str, Any]) -> str:
    content = said.get("content")
    if isinstance(content, Mapping):
        content = [content]
    if isinstance(content, int | float) and not isinstance(content, bool):
        return str(content)
    return text_of(content)


def _thought(said: Mapping[str, Any]) -> str:
    """Return the thinking that stands apart; where a server says it twice, once."""
    for name in _THOUGHTS:
        if found := _worded(said.get(name)):
            return found
    for name in _THOUGHT_LISTS:
        entries = said.get(name)
        if isinstance(entries, list) and (found := "".join(map(_worded, entries))):
            return found
    return thought_of(said.get("content"))


def _worded(value: object) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, Mapping):
        return ""
    names = ("text", "content", "summary", "thinking", "reasoning")
    return next((value[name] for name in names if isinstance(value.get(name), str)), "")


def _is_thought(said: Mapping[str, Any]) -> bool:
    """Gemini's compatible endpoint marks thinking beside the content that is it."""
    extra = said.get("extra_content")
    google = extra.get("google") if isinstance(extra, Mapping) else None
    return isinstance(google, Mapping) and google.get("thought") is True
