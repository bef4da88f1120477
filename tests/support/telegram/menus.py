"""What the bot says of itself: its menu of commands, its name and descriptions."""

import json
import re
from collections.abc import Callable
from typing import Any

from tests.support.telegram.params import Params
from tests.support.telegram.refusals import bad_request
from tests.support.telegram.world import World

MOST_COMMANDS = 100
MOST_DESCRIPTION = 256
_COMMAND = re.compile(r"/?[a-z0-9_]{1,32}")
_MOST_LETTERS = {"name": 64, "description": 512, "short_description": 120}


def set_my_commands(world: World, params: Params) -> bool:
    """``setMyCommands``, for a scope and a language."""
    commands = params.structure("commands", "commands") or []
    if len(commands) > MOST_COMMANDS:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for command in commands:
        if not _COMMAND.fullmatch(command.get("command", "")):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= len(command.get("description", "")) <= MOST_DESCRIPTION:
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


def setter(field: str) -> Callable[[World, Params], bool]:
    """Return ``setMyName``, ``setMyDescription`` or ``setMyShortDescription``."""

    def set_field(world: World, params: Params) -> bool:
        text = params.text(field)
        if len(text) > _MOST_LETTERS[field]:
            raise bad_request(f"{field} is too long")
        world.profile[field, params.text("language_code")] = text
        return True

    return set_field


def getter(field: str) -> Callable[[World, Params], dict[str, Any]]:
    """Return ``getMyName``, ``getMyDescription`` or ``getMyShortDescription``."""

    def get_field(world: World, params: Params) -> dict[str, Any]:
        unset = world.bot.first_name if field == "name" else ""
        return {field: world.profile.get((field, params.text("language_code")), unset)}

    return get_field


def set_chat_menu_button(world: World, params: Params) -> bool:
    """``setChatMenuButton``, for a chat or for all."""
    button = params.structure("menu_button", "menu button") or {"type": "default"}
    world.menu_buttons[params.integer("chat_id")] = button
    return True


def get_chat_menu_button(world: World, params: Params) -> dict[str, Any]:
    """``getChatMenuButton``."""
    return world.menu_buttons.get(params.integer("chat_id"), {"type": "commands"})


def _key(params: Params) -> tuple[str, str]:
    scope = params.structure("scope", "BotCommandScope") or {"type": "default"}
    return json.dumps(scope, sort_keys=True), params.text("language_code")
