"""Pictures a person sent: kept as files, and shown to models that can see at each of their calls.

The checkpoint holds names alone: a picture in it would be stored again with every step.
"""

import base64
import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langchain_core.messages import AnyMessage, HumanMessage

from graphs.state.context import TurnContext
from graphs.state.state import ATTACHMENTS
from noctule.core.base.roles import Role
from noctule.core.tools.outside_text import PICTURES
from tools.base.workspace import PathError, Workspace

if TYPE_CHECKING:
    from PIL.Image import Image

_MOST_PICTURES = 4
_LONGEST_SIDE = 1568
"""Larger pictures are made smaller by providers too (Anthropic's guide to vision)."""
_MOST_PIXELS = 60_000_000
_QUALITY = 85


def with_pictures(
    messages: Sequence[AnyMessage], role: Role, context: TurnContext
) -> list[AnyMessage]:
    """Return messages with the newest pictures in them, if a model of the role can see.

    Args:
        messages: what a model is to be sent.
        role: whose models.
        context: the session's workspace, where the files are.
    """
    named = [name for message in messages for name in _pictures(message)]
    if not named:
        return list(messages)
    if not _sees(role, context):
        return [_unseen(message) if _pictures(message) else message for message in messages]
    wanted = set(named[-_MOST_PICTURES:])
    workspace = _workspace(context)
    return [_shown(message, wanted, workspace) for message in messages]


def _sees(role: Role, context: TurnContext) -> bool:
    if context.equipment is None:
        return False
    settings = context.equipment.settings
    return any(settings.models[model].vision for model in settings.roles[role].models)


def _workspace(context: TurnContext) -> Workspace | None:
    if context.equipment is None:
        return None
    try:
        return context.equipment.workspace(context.session)
    except PathError:
        return None


def _pictures(message: AnyMessage) -> list[str]:
    if not isinstance(message, HumanMessage):
        return []
    names = message.additional_kwargs.get(ATTACHMENTS) or ()
    return [name for name in names if str(name).lower().endswith(PICTURES)]


def _unseen(message: AnyMessage) -> AnyMessage:
    told = "(No model of this role can see pictures: say so, and do not guess what is on them.)"
    return HumanMessage(f"{message.text}\n{told}", id=message.id)


def _shown(message: AnyMessage, wanted: set[str], workspace: Workspace | None) -> AnyMessage:
    names = [name for name in _pictures(message) if name in wanted]
    if not names or workspace is None:
        return message
    blocks: list[str | dict[str, object]] = [{"type": "text", "text": message.text}]
    for name in names:
        url = _data_url(name, workspace)
        if url is None:
            blocks.append({"type": "text", "text": f"({name} cannot be read as a picture.)"})
        else:
            blocks.append({"type": "image_url", "image_url": {"url": url}})
    return HumanMessage(blocks, id=message.id)


def _data_url(name: str, workspace: Workspace) -> str | None:
    from PIL import Image  # noqa: PLC0415 - only for turns with pictures

    try:
        content = workspace.content(name) or b""
        with Image.open(io.BytesIO(content)) as picture:
            if picture.width * picture.height > _MOST_PIXELS:
                return None
            small = _small(picture)
    except (PathError, OSError, ValueError, Image.DecompressionBombError):
        return None
    return f"data:image/jpeg;base64,{base64.b64encode(small).decode()}"


def _small(picture: "Image") -> bytes:
    picture.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    out = io.BytesIO()
    picture.convert("RGB").save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()
