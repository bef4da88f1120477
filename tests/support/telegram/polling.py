"""Methods by which a bot learns who it is and what happened."""

from typing import Any

from tests.support.telegram.params import Params
from tests.support.telegram.world import World

LONGEST_POLL_SECONDS = 50


def get_me(world: World, params: Params) -> dict[str, Any]:
    """``getMe``."""
    return world.bot.document | {
        "can_join_groups": True,
        "can_read_all_group_messages": world.reads_groups,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


async def get_updates(world: World, params: Params) -> list[dict[str, Any]]:
    """``getUpdates``: waits up to ``timeout`` seconds for the first one."""
    allow(world, params)
    timeout = min(max(params.integer("timeout"), 0), LONGEST_POLL_SECONDS)
    batch = await world.updates.take(params.integer("offset"), params.integer("limit"), timeout)
    return [update.document for update in batch]


def allow(world: World, params: Params) -> None:
    """Keep ``allowed_updates`` when it was sent; an empty list is the default again."""
    allowed = params.structure("allowed_updates", "allowed updates")
    if allowed is not None:
        world.updates.allowed = frozenset(allowed)
