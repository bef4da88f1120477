import socket

import pytest

from noctule.core.sessions.lifecycle import Status
from tests.support.provider import Provider, Reply
from tests.support.rig import Rig

pytestmark = pytest.mark.process


def free_port() -> int:
    """Return a port nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def test_an_outage_in_a_running_serve_is_shown_and_cleared_from_another_process(tmp_path):
    """`limits` names the model that does not answer; after `clear` its sleepers are answered."""
    port = free_port()
    async with Rig(tmp_path, f"http://127.0.0.1:{port}/v1") as rig, rig.serving():
        turns = [await rig.say(f"hello {n}") for n in range(4)]
        await rig.until(turns, Status.PARKED)
        shown = await rig.start("limits")
        assert "no answer: " in (await shown.ended())[1]
        async with Provider(port=port, default=Reply(text="Good evening.")):
            cleared = await rig.start("limits", "clear", "shop")
            assert "Cleared 1 limit" in (await cleared.ended())[1]
            await rig.until(turns, Status.DONE)
