"""Drives an emulator that runs in another process: ``POST /control/VERB`` with a JSON object.

By hand: ``curl URL/control/says -d '{"person": "Anna", "text": "hello"}'``. People are made when
they are first named. A chat is the id of a group; without one it is the person's private chat.

| verb | takes | gives |
|---|---|---|
| `person` | `name` and the other arguments of `Person` | its id |
| `group` | `title`, `people`, and `supergroup` or `topics` | its id, and the topics' ids by name |
| `says` | `person`, `text`, `chat`, `topic`, `reply_to` (message id) | the message |
| `sends_document` | `person`, `name`, `content` (base64), `caption` | the message |
| `presses` | `person`, `message`, `button`, `chat` | the query's id |
| `press` | `id` | what the bot answered |
| `sees` | `person`, `chat`, `since` (a beat), `seconds` | messages, and the beat to ask with next |
| `transcript` | `person`, `chat`, `history`, `times` | the text |
| `faults` | `faults`: objects with the arguments of `Fault` | how many wait |
| `calls` | `method`, `chat` | the calls |
| `flood` | | how many messages were over the limits, and the peaks |
| `repeat` | `last`: how many updates to deliver once more | their ids |
"""

import base64
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict
from http import HTTPStatus
from typing import Any

from tornado.web import RequestHandler

from tests.support.telegram.chats import Chat
from tests.support.telegram.faults import Fault
from tests.support.telegram.messages import Message
from tests.support.telegram.people import Person
from tests.support.telegram.phone import Phone
from tests.support.telegram.world import World

Given = dict[str, Any]

LONGEST_WAIT_SECONDS = 60.0


class Control:
    """What the verbs do.

    Args:
        world: what they do it to.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.verbs: dict[str, Callable[[Given], Any | Awaitable[Any]]] = {
            "person": lambda given: self._person(**given).id,
            "group": self._group,
            "says": self._says,
            "sends_document": self._sends_document,
            "presses": self._presses,
            "press": self._press,
            "sees": self._sees,
            "transcript": self._transcript,
            "faults": self._faults,
            "calls": self._calls,
            "flood": self._flood,
            "repeat": self._repeat,
        }

    def _person(self, name: str, **more: Any) -> Person:
        known = (person for person in self._world.people.values() if person.first_name == name)
        return next(known, None) or self._world.add_person(name, **more)

    def _phone(self, given: Given) -> Phone:
        return Phone(self._world, self._person(given["person"]))

    def _chat(self, given: Given) -> Chat:
        if given.get("chat"):
            return self._world.chats.get(given["chat"])
        return self._phone(given).chat

    def _where(self, given: Given) -> Given:
        chat = self._chat(given)
        replied = chat.find(given["reply_to"]) if given.get("reply_to") else None
        return {"chat": chat, "topic": given.get("topic"), "reply_to": replied}

    def _group(self, given: Given) -> Given:
        people = [self._person(name) for name in given.get("people", [])]
        if topics := given.get("topics"):
            chat = self._world.chats.forum(given["title"], *people, topics=tuple(topics))
        else:
            large = given.get("supergroup", False)
            chat = self._world.chats.group(given["title"], *people, supergroup=large)
        return {"chat": chat.id, "topics": {name: topic for topic, name in chat.topics.items()}}

    def _says(self, given: Given) -> Given:
        return shown(self._phone(given).says(given["text"], **self._where(given)))

    def _sends_document(self, given: Given) -> Given:
        content = base64.b64decode(given["content"])
        caption = given.get("caption", "")
        where = self._where(given)
        phone = self._phone(given)
        return shown(phone.sends_document(given["name"], content, caption=caption, **where))

    def _presses(self, given: Given) -> str:
        message = self._chat(given).messages[given["message"]]
        return self._phone(given).presses(message, given["button"]).id

    def _press(self, given: Given) -> Given:
        press = self._world.presses.get(given["id"])
        if press is None:
            raise LookupError(f"nobody pressed {given['id']}")
        return {"answered": press.answered_at is not None, "answer": press.answer}

    async def _sees(self, given: Given) -> Given:
        chat = self._chat(given)
        since, seconds = given.get("since", -1), min(given.get("seconds", 0), LONGEST_WAIT_SECONDS)
        with suppress(TimeoutError):
            await chat.pulse.until(lambda: chat.pulse.beats > since, seconds)
        seen = self._phone(given).sees(chat, given.get("topic"))
        return {"beat": chat.pulse.beats, "messages": [shown(message) for message in seen]}

    def _transcript(self, given: Given) -> str:
        how = {name: given[name] for name in ("history", "times") if name in given}
        return self._phone(given).transcript(self._chat(given), **how)

    def _faults(self, given: Given) -> int:
        self._world.faults.add(*(Fault.read(entry) for entry in given["faults"]))
        return len(self._world.faults.waiting)

    def _calls(self, given: Given) -> list[Given]:
        method, chat = given.get("method"), given.get("chat")
        calls = self._world.calls
        return [vars(call) for call in (calls.of(method, chat) if method else calls)]

    def _flood(self, given: Given) -> Given:
        flood = self._world.flood
        peaks = {"peak_second": flood.peak(1.0), "peak_minute": flood.peak(60.0)}
        return {"sent": len(flood.sent), "over": [asdict(sent) for sent in flood.over], **peaks}

    def _repeat(self, given: Given) -> list[int]:
        again = self._world.updates.history[-given.get("last", 1) :]
        self._world.updates.repeat(*again)
        return [update.id for update in again]


def shown(message: Message) -> Given:
    """Return a message as a remote phone sees it: the object of the API, and its history."""
    return message.document() | {
        "from_bot": message.from_bot,
        "text": message.text,
        "silent": message.silent,
        "versions": [asdict(version) for version in message.versions],
        "buttons": message.button_texts,
    }


class ControlHandler(RequestHandler):
    """One request to the control."""

    def initialize(self, control: Control) -> None:
        """Know the control; Tornado makes one handler for each request."""
        self._control = control

    async def post(self, verb: str) -> None:
        """Do what is asked and answer with a JSON document."""
        if verb not in self._control.verbs:
            known = ", ".join(self._control.verbs)
            self._answer(HTTPStatus.NOT_FOUND, {"error": f"no {verb}; there are: {known}"})
            return
        try:
            result = self._control.verbs[verb](json.loads(self.request.body or b"{}"))
            if isinstance(result, Awaitable):
                result = await result
        except (LookupError, TypeError, ValueError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"error": f"{type(error).__name__}: {error}"})
        else:
            self._answer(HTTPStatus.OK, result)

    def _answer(self, status: HTTPStatus, document: Any) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(document))
