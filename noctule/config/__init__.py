"""Finds, reads, checks and loads the configuration; every problem is reported at once."""

from noctule.config.loading import Loaded, load, load_text, require_telegram, vetter
from noctule.config.places import find_home, packaged_default, user_config

__all__ = [
    "Loaded",
    "find_home",
    "load",
    "load_text",
    "packaged_default",
    "require_telegram",
    "user_config",
    "vetter",
]
