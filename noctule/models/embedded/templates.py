"""The chat template somebody puts in place of the one in a GGUF file."""

import hashlib
from pathlib import Path

from noctule.core.errors import EmbeddedModelError

_SHOWN_HEX = 16
_OTHERWISE = (
    "Set `chat_template` of the endpoint to a Jinja file, or leave it out for the model's own."
)


def readable_template(path: Path) -> str:
    """Return the text of a chat template.

    Whether it is sound Jinja shows when the model is loaded.

    Raises:
        EmbeddedModelError: there is no such file, it cannot be read, or it holds no text.
    """
    path = path.expanduser().absolute()
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise EmbeddedModelError(
            f"The chat template {path} cannot be read ({error.strerror}). {_OTHERWISE}"
        ) from error
    except UnicodeDecodeError as error:
        raise EmbeddedModelError(
            f"The chat template {path} is not UTF-8 text. {_OTHERWISE}"
        ) from error
    if not text.strip():
        # llama.cpp takes "" for no template at all, and would serve with another than was meant.
        raise EmbeddedModelError(f"The chat template {path} is empty. {_OTHERWISE}")
    return text


def template_version(path: Path) -> str:
    """Return what tells a template from another; "" for a file that cannot be read.

    What a model was proved to do holds for its template as well: it says how calls are written.
    """
    try:
        found = hashlib.sha256(path.expanduser().read_bytes())
    except OSError:
        return ""
    return f"template:{found.hexdigest()[:_SHOWN_HEX]}"
