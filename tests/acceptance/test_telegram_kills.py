import os

import pytest

from tests.support.telegram_kills import talk_under_kills

pytestmark = [pytest.mark.process, pytest.mark.timeout(300)]

SEED = int(os.environ.get("NOCTULE_CHAOS_SEED", "1"))


async def test_a_bot_that_is_killed_while_it_talks_loses_nothing(tmp_path):
    """Every message is answered once; only sends in flight at a kill come again, each marked."""
    story = await talk_under_kills(tmp_path, chats=12, each=2, kills=4, seed=SEED, most_s=1.5)
    assert story.kills > 0
    assert story.lost == []
    assert story.doubled == []
    assert story.turns == story.messages
    assert story.marked <= story.in_flight
