"""Picture tokens: the most a picture takes of a window, by its size."""

import base64
import io
import json
import math

PICTURE_TYPES = frozenset({"image", "image_url", "input_image"})

_PIXELS_PER_SIDE = 28
"""Of one token: Qwen-VL's patches; Anthropic's rule of width x height / 750 comes to the same."""

_LEAST = 260
"""A small picture at OpenAI (85 and one tile of 170) and at Gemini (258); checked 2026-11."""

_UNKNOWN = 3200
"""One whose size cannot be read: what the largest takes that Noctule sends."""


def is_picture(block: object) -> bool:
    """Return whether a content block is a picture."""
    return isinstance(block, dict) and block.get("type") in PICTURE_TYPES


def picture_tokens(block: str) -> float:
    """Return about the most tokens a picture takes.

    Args:
        block: the content block as JSON.
    """
    size = _size(json.loads(block))
    if size is None:
        return float(_UNKNOWN)
    patches = math.prod(math.ceil(side / _PIXELS_PER_SIDE) for side in size)
    return float(max(_LEAST, patches))


def _size(block: dict[str, object]) -> tuple[int, int] | None:
    from PIL import Image  # noqa: PLC0415 - only for calls with pictures

    named = block.get("image_url")
    url = named.get("url") if isinstance(named, dict) else named
    if not isinstance(url, str) or ";base64," not in url:
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(url.partition(";base64,")[2]))) as picture:
            return picture.size
    except (OSError, ValueError, Image.DecompressionBombError):
        return None
