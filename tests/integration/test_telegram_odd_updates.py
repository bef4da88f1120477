"""Updates of every form: one that nobody can read costs itself and nothing else."""

import json
from pathlib import Path
from random import Random
from typing import Any

import httpx
import pytest

from noctule.channels.telegram.inbound.raw_updates import UNREAD, UpdatesRequest, posted_update
from noctule.core.clock import SystemClock
from tests.support.fuzzing import examples
from tests.support.provider import Provider, Reply
from tests.support.telegram.odd_updates import random_update
from tests.support.telegram_rig import OWNER, Bot, open_bot

_REAL = SystemClock()
STRANGERS = [2_000_000 + number for number in range(40)]
PEOPLE = [*STRANGERS, OWNER.id, OWNER.id]
SECRET = "a-secret-of-the-test"
HEADER = {"X-Telegram-Bot-Api-Secret-Token": SECRET}

PINNED = {
    "message_id": 8,
    "date": 1_700_000_000,
    "chat": {"id": -77, "type": "group", "title": "Others"},
    "from": {"id": 555, "is_bot": False, "first_name": "Mallory"},
    "pinned_message": {"message_id": 7, "date": 0, "chat": {"id": -77, "type": "group"}},
}
"""A pinned message that the bot may not see (Bot API, InaccessibleMessage)."""


async def _all_handled(bot: Bot) -> bool:
    async with bot.records.database.read() as work:
        return not await work.inbox.waiting(f"telegram:{bot.telegram.token.partition(':')[0]}")


async def _settle(bot: Bot) -> None:
    """Wait until every update is over, at most ten minutes."""
    for _ in range(6000):
        if await _all_handled(bot):
            return
        await _REAL.sleep(0.1)
    raise AssertionError("some updates are not handled yet")


@pytest.mark.fuzz
async def test_random_updates_block_nobody_while_polling(tmp_path: Path) -> None:
    """By the published schema and mutated: the owner is answered after them, and all are over."""
    random, count = Random(20261129), examples(250)
    async with (
        Provider(default=Reply(text="Here.")) as provider,
        open_bot(tmp_path, provider) as bot,
    ):
        updates = bot.telegram.updates
        for at in range(count):
            updates.publish_odd(lambda number: random_update(random, number, PEOPLE))
            if at % 500 == 0:
                updates.publish_odd(lambda number: {"update_id": number, "message": dict(PINNED)})
        await updates.until_confirmed(600)
        await _settle(bot)
        said = bot.owner.says("still there?")  # much may be said to what came before it
        await bot.owner.hears("Here.", after=said, within=600)


@pytest.mark.fuzz
async def test_random_updates_block_nobody_through_a_webhook(tmp_path: Path) -> None:
    """Each post is answered at once and for good: Telegram repeats what is not, before the rest."""
    random, count = Random(7), examples(250)
    settings = {"webhook": {"url": "https://bot.example.org/hook", "port": 0, "secret": SECRET}}
    refused: list[tuple[int, bytes]] = []
    async with (
        Provider(default=Reply(text="Here.")) as provider,
        open_bot(tmp_path, provider, settings=settings) as bot,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        address = await _address(bot)
        for number in range(1, count):
            body = json.dumps(random_update(random, number, PEOPLE)).encode()
            body = body[: random.randint(0, len(body))] if random.random() < 0.1 else body
            response = await client.post(address, content=body, headers=HEADER)
            if response.status_code != 200:
                refused.append((response.status_code, body))
        message = {
            "message_id": 900_001,
            "date": 1_700_000_000,
            "chat": {"id": OWNER.id, "type": "private"},
            "from": {"id": OWNER.id, "is_bot": False, "first_name": "Anna"},
            "text": "still there?",
        }
        ask = {"update_id": 5_000_000, "message": message}
        assert (await client.post(address, json=ask, headers=HEADER)).status_code == 200
        await _settle(bot)
        async with bot.records.database.read() as work:
            turn = await work.turns.by_origin(f"telegram:{OWNER.id}:900001")
    assert turn is not None
    assert refused == []


async def _address(bot: Bot) -> str:
    for _ in range(400):
        if said := [line for line in bot.said if "listening on" in line]:
            return "http://" + said[0].partition("listening on ")[2].partition(" ")[0]
        await _REAL.sleep(0.05)
    raise AssertionError("the webhook does not listen")


def test_an_answer_of_which_one_update_is_no_json_brings_the_others() -> None:
    """Too deep, too long a number, a broken string: each comes as text, with its own number."""
    deep = "[" * 5000 + "]" * 5000
    samples: dict[str, str] = {
        "nested": f'{{"update_id":2,"message":{{"text":{deep}}}}}',
        "a number of 5,000 digits": f'{{"update_id":2,"message":{{"date":{"9" * 5000}}}}}',
        "a bare word": '{"update_id":2,"message":{"text":undefined}}',
        "a control character": '{"update_id":2,"message":{"text":"a\x01b\nc"}}',
        "brackets in strings": '{"update_id":2,"message":{"text":"]}, \\"{[","x":nope}}',
    }
    good = '{"update_id":%d,"message":{"message_id":1,"text":"a ] } \\" b"}}'
    wrong = []
    for name, odd in samples.items():
        body = f'{{"ok":true,"result":[{good % 1},{odd},{good % 3}]}}'
        result = UpdatesRequest.parse_json_payload(body.encode())["result"]
        numbers = [update["update_id"] for update in result]
        if numbers != [1, 2, 3] or UNREAD not in result[1] or UNREAD in result[2]:
            wrong.append((name, result))
    assert wrong == []


def test_whatever_is_posted_is_an_update_or_nothing() -> None:
    """What has a number is kept, as text when need be; what has none is nothing."""
    kept: dict[bytes, Any] = {
        b'{"update_id": 5}': {"update_id": 5},
        b'{"update_id": 5, "message": 7}': {"update_id": 5, "message": 7},
        b'{"update_id": 5, "message": ': {"update_id": 5, UNREAD: '{"update_id": 5, "message": '},
        b'\xef\xbb\xbf{"update_id": 5}': {"update_id": 5},
        b'{"update_id": 5, "x": "a\\u0000\\ud83d", "y": NaN, "z": 1e999}': {
            "update_id": 5,
            "x": "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}",
            "y": None,
            "z": None,
        },
    }
    nothing = [b"", b"[]", b"{}", b"null", b"7", b'"x"', b"\xff\xfe", b"not json", b"[[[["]
    nothing += [b'{"update_id": "x"}', b'{"update_id": true}', b'{"update_id": 1.5}']
    nothing += [b'{"update_id": -4}', b'{"update_id": 99999999999999999999999}']
    wrong = [body for body in nothing if posted_update(body) is not None]
    for body, payload in kept.items():
        found = posted_update(body)
        if found is None or found.payload != payload or found.number != 5:
            wrong.append(body)
    assert wrong == []
