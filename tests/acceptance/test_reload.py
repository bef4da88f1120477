"""A worker takes over its configuration while it runs."""

from typing import Any

import pytest
import yaml

from noctule.config import load
from noctule.core.sessions.lifecycle import Status
from tests.support.command_line import ROLES
from tests.support.provider import Provider, Reply, Request
from tests.support.rig import Rig

pytestmark = pytest.mark.process


def model(name: str, **more: Any) -> dict[str, Any]:
    return {"endpoint": "shop", "name": name, "context": 32000, **more}


def named(request: Request) -> Reply:
    return Reply(text=f"This is {request.model}.")


class Changing(Rig):
    """A rig whose configuration changes while a worker runs."""

    def change(self, **sections: Any) -> None:
        """Replace sections of the file."""
        config = yaml.safe_load(self.path.read_text())
        self.command_line.configure({**config, **sections})

    def see(self) -> None:
        """Let this process's desk know what the file says, as a new command would."""
        settings = load(self.path, environ=self.command_line.env).settings
        self.records.service.use(settings)


async def test_models_roles_and_mistakes_while_serving(tmp_path):
    """What can change is used by the next turn; a broken file changes nothing and says where."""
    async with Provider(decide=named) as provider, Changing(tmp_path, provider.openai_url) as rig:
        async with rig.serving() as serve:
            rig.change(models={"loop": model("loop"), "new": model("new")})
            rig.see()
            turn = await rig.say("hello", model="new")  # before it is looked at by itself
            assert (await rig.until(turn, Status.DONE)).reply == "This is new."
            assert "took over models.new." in await serve.says("has changed")
            rig.change(roles={role: {"primary": "new"} for role in ROLES})
            assert "roles.chat" in await serve.says("took over")
            done = await rig.until(await rig.say("hello"), Status.DONE)
            assert done.reply == "This is new."
            sound = rig.path.read_text()
            rig.path.write_text(sound + "roles: {chat: {primary: nobody}}\n")
            broken = await serve.says("cannot be used")
            assert "config.yaml" in broken
            done = await rig.until(await rig.say("hello"), Status.DONE)
            assert done.reply == "This is new."
            rig.path.write_text(sound)
            rig.change(timezone="Europe/Berlin", footer=False, tools={"sandbox": "none"})
            said = await serve.says("took over")
            assert "took over footer. timezone, tools.sandbox need a restart." in said
        assert {request.model for request in provider.requests} == {"new"}


async def test_a_raised_budget_wakes_its_sleepers_while_serving(tmp_path):
    """What did not fit a budget of this month goes on as soon as the file says more."""

    def budgets(usd: float) -> dict[str, Any]:
        return {"all": {"scope": "global", "usd": usd, "window": "month"}}

    models = {"loop": model("loop", price={"input": 0, "output": 1000})}
    roles = {role: {"primary": "loop", "max_tokens": 10} for role in ROLES}
    async with Provider(default=Reply(text="Good evening.")) as provider:
        rig = Changing(
            tmp_path, provider.openai_url, budgets=budgets(0.012), models=models, roles=roles
        )
        async with rig, rig.serving() as serve:
            first = await rig.say("hello", role="chat")
            await rig.until(first, Status.DONE)
            others = [await rig.say("again", role="chat") for _ in range(2)]
            await rig.until(others, Status.WAITING, Status.PARKED)
            rig.change(budgets=budgets(1))
            assert "took over budgets.all." in await serve.says("has changed")
            await rig.until(others, Status.DONE)
    assert len(provider.requests) == 3
