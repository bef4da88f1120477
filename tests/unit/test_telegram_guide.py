"""What the guide of the bot tells people to write can be written."""

import re
from pathlib import Path

import pytest
import yaml

from noctule.channels.telegram.commands import COMMANDS
from noctule.core.settings import TelegramSettings

GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "guides" / "telegram.md").read_text()
BLOCKS = re.findall(r"^ *```yaml\n(.*?)^ *```$", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS)
def test_its_configurations_are_sound(block: str) -> None:
    """Each has a token from the environment and keys that exist."""
    settings = TelegramSettings(**yaml.safe_load(block)["telegram"])
    assert settings.token is not None
    assert settings.token.get_secret_value().startswith("${")


def test_its_commands_are_those_of_the_bot() -> None:
    """Whatever begins with a slash in it can be said."""
    named = set(re.findall(r"`/([a-z]+)", GUIDE))
    assert named - {"newbot", "mybots", "revoke"} <= set(COMMANDS)


def test_it_shows_real_conversations() -> None:
    """Pairing, work, a card and a morning, as the script of the transcripts prints them."""
    for words in ("You're now my owner", "💤", "🌅 Good morning", "Anna: /run"):
        assert words in GUIDE
