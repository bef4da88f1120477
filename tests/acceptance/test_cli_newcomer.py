import pytest

from tests.support.shell import Shell
from tests.support.stored_records import a_session, a_turn, an_attempt

pytestmark = pytest.mark.process

CONFIG = """\
endpoints:
  local: {kind: %s, url: "http://127.0.0.1:9"}
models:
  qwen: {endpoint: local, name: qwen, context: 8192}
roles:
  chat: {primary: qwen}
  orchestrator: {primary: qwen}
  engineer: {primary: qwen}
  research: {primary: qwen}
  writer: {primary: qwen}
  utility: {primary: qwen}
"""


async def test_without_any_model_server_the_first_contact_fails_in_three_lines(tmp_path):
    """What happened, what to try, what to start; nothing is left asleep. Routed by rule or not."""
    for kind, start in (("ollama", "start Ollama"), ("openai", "start the server of endpoint")):
        folder = tmp_path / kind
        folder.mkdir()
        shell = Shell(folder, CONFIG % kind)
        for text in ("hi", "Is the moon hollow"):
            done = await shell("chat", text)
            lines = done.err.strip().splitlines()
            assert (done.code, len(lines)) == (1, 3), done.err
            assert "http://127.0.0.1:9 (endpoint local)" in lines[0]
            assert "noctule init" in lines[1]
            assert "noctule demo" in lines[1]
            assert start in lines[2]
            assert max(map(len, lines)) < 120
        assert {one["status"] for one in (await shell("sessions", "--json")).json} == {"failed"}


async def test_who_ever_got_an_answer_sleeps_until_the_server_is_back(tmp_path):
    """A server that is down for a while is no reason to fail, and shows among the limits."""
    shell = Shell(tmp_path, CONFIG % "ollama")
    async with shell.records() as work:
        await work.sessions.add(a_session())
        await work.turns.add(a_turn())
        await work.attempts.add(an_attempt())
    assert (await shell("chat", "hi")).code == 75
    (limit,) = (await shell("limits", "--json")).json
    assert (limit["model"], limit["outage"], limit["evidence"]) == ("qwen", True, "guess")
    assert "no answer:" in (await shell("limits")).out
    assert (await shell("limits", "clear", "--json")).json == {"cleared": 1}
