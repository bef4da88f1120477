"""From nothing to the first answer on the phone, as a newcomer goes through it."""

import asyncio
import re
import stat
from functools import partial
from pathlib import Path

import pytest

from tests.support.provider import FakeModel, Provider, Reply
from tests.support.shell import Shell
from tests.support.telegram.remote import RemoteTelegram
from tests.support.terminal import Terminal, terminal

pytestmark = pytest.mark.process

ANSWER = "Good evening from your own machine."
MOST_LINES = 6
TOKEN_ASKED = "press Enter to skip the bot"


class Newcomer:
    """Somebody with an empty home; counts the lines they type.

    Args:
        folder: the home.
        env: what was exported.
    """

    def __init__(self, folder: Path, **env: str) -> None:
        self.shell = Shell(folder, None, PYTHONPATH=str(Path(__file__).parents[2]), **env)
        self.typed: list[str] = []
        self.printed = ""
        for name in [name for name in self.shell.env if name.endswith(("_API_KEY", "_TOKEN"))]:
            self.shell.env.pop(name)
        manager = folder / "bin/systemctl"
        manager.parent.mkdir()
        manager.write_text("#!/bin/sh\nexit 1\n")
        manager.chmod(0o755)
        self.shell.env["PATH"] = f"{manager.parent}:{self.shell.env['PATH']}"

    def answers(self, person: Terminal, question: str, line: str) -> None:
        """Type a line where a question stands."""
        person.wait_for(question, seconds=60)
        self.typed.append(line)
        person.type(f"{line}\r")

    def init(self, token: str, service: str = "") -> str:
        """Run ``noctule init``, and return what it showed.

        Args:
            token: typed where it is asked for; "" is Enter.
            service: the answer to whether the service file should be written; "" is Enter.
        """
        self.typed.append("noctule init")
        with terminal(["init"], env=self.shell.env, cwd=self.shell.folder) as person:
            self.answers(person, TOKEN_ASKED, token)
            if token:
                person.wait_for("Wrote", seconds=60)
                if "kept in" in person.shown:
                    self.answers(person, "runs in the background?", service)
            assert person.ended(seconds=60) == 0, person.shown
            self.printed += person.shown
            return person.shown


def answered_with(answer, seen):
    return any(one["from_bot"] and answer in one["text"] for one in seen)


async def test_the_phone_has_its_first_answer_after_six_typed_lines(tmp_path):
    """The link of init pairs, serve finds the token, and no secret is shown or configured."""
    async with (
        Provider(models=[FakeModel("qwen3.5:latest")], default=Reply(text=ANSWER)) as provider,
        RemoteTelegram() as telegram,
    ):
        me = Newcomer(tmp_path, OLLAMA_HOST=provider.url, TELEGRAM_BASE_URL=telegram.base_url)
        shown = await asyncio.to_thread(me.init, telegram.token)
        (code,) = re.findall(r"https://t\.me/noctule_test_bot\?start=(\S+)", shown)
        assert "▀▄" in shown
        last = shown.strip().splitlines()[-1]
        assert last == "Now try: noctule serve"
        written = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert [path for path in written if code.encode() in path.read_bytes()] == []
        me.typed.append("noctule serve")
        with terminal(["serve"], env=me.shell.env, cwd=tmp_path) as serving:
            await asyncio.to_thread(serving.wait_for, "I am @noctule_test_bot", seconds=60)
            anna = telegram.phone("Anna")
            for line, answer in ((f"/start {code}", "You're now my owner"), ("hello", ANSWER)):
                me.typed.append(line)
                await anna.says(line)
                await anna.until(
                    partial(answered_with, answer),
                    60,
                )
            serving.interrupt()
            assert await asyncio.to_thread(serving.ended, seconds=60) == 0
        me.printed += serving.shown
    assert len(me.typed) <= MOST_LINES
    own = tmp_path / ".config/noctule"
    kept = own / "environment"
    assert kept.read_text() == f"TELEGRAM_BOT_TOKEN={telegram.token}\n"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    text = (own / "config.yaml").read_text()
    assert "${TELEGRAM_BOT_TOKEN}" in text
    assert telegram.token not in text + me.printed
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and path != kept]
    assert [path for path in holders if telegram.token.encode() in path.read_bytes()] == []


async def test_the_service_file_is_written_when_the_person_says_so(tmp_path):
    """It starts this program on this configuration, and the last line starts it."""
    async with (
        Provider(models=[FakeModel("qwen3.5:latest")]) as provider,
        RemoteTelegram() as telegram,
    ):
        me = Newcomer(tmp_path, OLLAMA_HOST=provider.url, TELEGRAM_BASE_URL=telegram.base_url)
        shown = await asyncio.to_thread(me.init, telegram.token, "y")
    unit = (tmp_path / ".config/systemd/user/noctule.service").read_text()
    own = tmp_path / ".config/noctule"
    assert f"EnvironmentFile={own}/environment\n" in unit
    assert re.search(
        rf"^ExecStart=/\S+( -m noctule)? --config {own}/config.yaml serve$", unit, re.MULTILINE
    )
    assert f"Environment=NOCTULE_HOME={me.shell.home}\n" in unit
    assert telegram.token not in unit + shown
    assert "Now try: systemctl --user enable --now noctule" in shown.strip().splitlines()[-1]


async def test_init_goes_on_without_a_bot_and_without_a_network(tmp_path):
    """Enter skips it, a wrong token is not kept, and one nobody could check is."""
    async with (
        Provider(models=[FakeModel("qwen3.5:latest")]) as provider,
        RemoteTelegram() as telegram,
    ):
        cases = (
            ("none", "", telegram.base_url, "Now try: noctule chat", False),
            ("wrong", "7:not-the-token", telegram.base_url, "Telegram refuses the token.", False),
            ("away", "7:any", "http://127.0.0.1:9/bot", "cannot be reached", True),
        )
        for name, token, url, said, is_kept in cases:
            folder = tmp_path / name
            folder.mkdir()
            me = Newcomer(folder, OLLAMA_HOST=provider.url, TELEGRAM_BASE_URL=url)
            shown = await asyncio.to_thread(me.init, token)
            assert said in shown, name
            text = (folder / ".config/noctule/config.yaml").read_text()
            assert ("telegram:" in text) is is_kept, name
            assert (folder / ".config/noctule/environment").exists() is is_kept, name
            assert not (token and token in text + shown), name
