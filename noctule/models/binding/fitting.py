"""Fitting: the prompt of a call is made for the very model that is about to be asked."""

import json
import logging
from collections.abc import Iterable
from dataclasses import replace

from langchain_core.messages import HumanMessage

from noctule.core.base.roles import Role
from noctule.core.ports.prompts import Fit, Fitted, NoRoomError, Reader, reply_tokens
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import RoleSettings, Settings
from noctule.models.base.client import ModelRequest
from noctule.models.base.timeouts import Timeouts
from noctule.models.binding.call_state import CallState
from noctule.models.binding.dependencies import ModelDependencies
from noctule.models.capabilities.model_state import settled_window
from noctule.models.request.meter import Meter
from noctule.models.request.tokenizing import CountsTokens

_LOG = logging.getLogger(__name__)

_NEAR = 0.6
"""A prompt above this share of a window is worth asking a tokenizer about."""

_MOST_ROUNDS = 3
_MOST_REFITS = 2
_WEAK_SCORE = 0.8
"""A proof below it is one of a model that many tools are too much for."""


class Fitting:
    """Makes prompts fit.

    Args:
        layer: the shared parts.
        own: the role's settings.
        timeouts: of the role.
    """

    def __init__(self, layer: ModelDependencies, own: RoleSettings, timeouts: Timeouts) -> None:
        self._layer = layer
        self._own = own
        self._timeouts = timeouts

    def reader(self, model: str, max_tokens: int | None = None) -> Reader:
        """Return what is known now of a model that a prompt is to be made for.

        Args:
            model: its configured name.
            max_tokens: the longest reply of the call; None takes the role's.
        """
        window = self._layer.facts.window_tokens(model)
        proof, manner = self._layer.proofs.of(model), self._layer.proofs.manner(model)
        is_poor = proof is not None and proof.is_proven and proof.score < _WEAK_SCORE
        return Reader(
            model=model,
            window_tokens=window,
            reply_tokens=reply_tokens(max_tokens or self._own.max_tokens, window),
            counter=self._layer.meter(model),
            is_weak=is_poor or manner.led or manner.by_text,
        )

    async def fit(self, course: CallState, models: Iterable[str]) -> bool:
        """Make the prompt of a call for some models; False when it does not fit one of them."""
        fit = course.call.fit
        if fit is None:
            return True
        fits = True
        for model in models:
            try:
                course.fitted[model] = await self._made(course, fit, model)
                course.no_room.pop(model, None)
            except NoRoomError as error:
                course.no_room[model] = error
                fits = False
        return fits

    def overflowed(self, course: CallState, model: str, refusal: Refusal) -> bool:
        """Note that a prompt made to fit was too long all the same; True: try a shorter one."""
        too_long = refusal.outcome is Outcome.CONTEXT_OVERFLOW and not refusal.unaffordable
        if not too_long or course.call.fit is None:
            return False
        if self._layer.facts.window_tokens(model) is None:
            return False  # nobody knows what would be short enough
        self._layer.meter(model).overflowed()
        course.refits[model] = course.refits.get(model, 0) + 1
        return course.refits[model] <= _MOST_REFITS

    async def _made(self, course: CallState, fit: Fit, model: str) -> Fitted:
        reader = self.reader(model, course.call.max_tokens)
        whole = fit.whole(reader)
        await self._measure(course, whole, reader)
        reader = self._with_manner(course, whole, reader)
        made = self._shortest(fit, reader)
        for _ in range(_MOST_ROUNDS):
            if not await self._measure(course, made, reader) or _is_short(made, reader):
                break
            made = self._shortest(fit, reader)
        return made

    def _with_manner(self, course: CallState, made: Fitted, reader: Reader) -> Reader:
        """Leave room for what is added to a request for the way its model is asked for calls.

        Once a server has counted such a request its count holds that already.
        """
        meter = self._layer.meter(reader.model)
        if meter.is_learned:
            return reader
        request = self._request(course, made, reader.model)
        more = meter.count(request.messages, request.tools)
        if request.json_schema is not None:
            more += meter.count([HumanMessage(json.dumps(request.json_schema))])
        more -= meter.count(made.messages, made.tools)
        return replace(reader, reply_tokens=reader.reply_tokens + max(0, more))

    def _shortest(self, fit: Fit, reader: Reader) -> Fitted:
        """Make the prompt fit; nobody is refused over a count that is only on the safe side."""
        meter = self._layer.meter(reader.model)
        try:
            return fit.fitted(reader)
        except NoRoomError:
            if meter.is_learned:
                raise
        return fit.fitted(replace(reader, counter=meter.likely()))

    async def _measure(self, course: CallState, made: Fitted, reader: Reader) -> bool:
        """Ask the tokenizer at hand how long a prompt is, where it matters; True when it said."""
        most, meter = reader.prompt_tokens, self._layer.meter(reader.model)
        if most is None or meter.count(made.messages, made.tools) <= most * _NEAR:
            return False
        if meter.knows(made.messages, made.tools):
            return False
        tokens = await self._tokens(course, made, reader.model)
        meter.learn(made.messages, made.tools, tokens)
        return tokens is not None

    async def _tokens(self, course: CallState, made: Fitted, model: str) -> int | None:
        settings = self._layer.settings
        try:
            client = self._layer.endpoints.client(settings.models[model].endpoint)
            if not isinstance(client, CountsTokens):
                return None
            return await client.count_tokens(self._request(course, made, model))
        except Exception as error:  # noqa: BLE001 - an estimate is at hand
            _LOG.debug("%s did not count a prompt: %s", model, error)
            return None

    def _request(self, course: CallState, made: Fitted, model: str) -> ModelRequest:
        asked = replace(course.call, messages=made.messages, tools=made.tools, fit=None)
        settings = self._layer.settings.models[model]
        request = asked.request(model, settings, self._own, self._timeouts)
        manner = asked.manner or self._layer.proofs.manner(model)
        return manner.shaped(request, loop=course.context.loop)


def plain_reader(settings: Settings, role: Role, model: str) -> Reader:
    """Return what the configuration alone says of a model that prompts of a role are made for."""
    window = settled_window(settings, model)
    return Reader(
        model=model,
        window_tokens=window,
        reply_tokens=reply_tokens(settings.roles[role].max_tokens, window),
        counter=Meter().likely(),
    )


def _is_short(made: Fitted, reader: Reader) -> bool:
    most = reader.prompt_tokens
    return most is None or reader.counter.count(made.messages, made.tools) <= most
