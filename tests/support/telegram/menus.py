"""What the bot says of itself: its menu of commands, name and descriptions."""

import json
import re
from typing import Any

from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

MOST_COMMANDS = 100
_COMMAND = re.compile(r"/?[a-z0-9_]{1,32}")


def set_my_commands(world: World, params: Params) -> bool:
    """``setMyCommands``, for a scope and a language."""
    commands = params.structure("commands", "commands") or []
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not _COMMAND.fullmatch(command.get("command", "")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    world.menus[_key(params)] = [
        {"command": c["command"].lstrip("/"), "description": c["description"]} for c in commands
    ]
    return True


def get_my_commands(world: World, params: Params) -> list[dict[str, Any]]:
    """``getMyCommands``."""
    return world.menus.get(_key(params), [])


def delete_my_commands(world: World, params: Params) -> bool:
    """``deleteMyCommands``."""
    world.menus.pop(_key(params), None)
    return True


def _key(params: Params) -> tuple[str, str]:
    scope = params.structure("scope", "BotCommandScope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), params.text("language_code")
