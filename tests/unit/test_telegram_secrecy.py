"""The token is in no log, whoever logs it and however."""

import io
import logging
from collections.abc import Iterator

import pytest

from noctule.channels.telegram.delivery.log_redaction import (
    MaskToken,
    keep_quiet,
    speak_again,
    trail,
)

TOKEN = "7000000001:AAE-secret-secret-secret"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Return what a handler of everything writes."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield written
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def mask(log: io.StringIO) -> Iterator[MaskToken]:
    found = keep_quiet(TOKEN)
    yield found
    speak_again(found)


def test_it_is_masked_in_text_and_arguments(log: io.StringIO, mask: MaskToken) -> None:
    """Of any logger, of a later child of a library's too."""
    logging.getLogger("anybody").info("GET https://api.telegram.org/bot%s/getMe", TOKEN)
    logging.getLogger("httpx._later").error("at %(url)s", {"url": f"/bot{TOKEN}/x"})
    assert TOKEN not in log.getvalue()
    assert log.getvalue().count("<token>") == 2


def test_it_is_masked_in_tracebacks_and_their_causes(log: io.StringIO, mask: MaskToken) -> None:
    """Whatever the error keeps its words in."""

    class OddError(Exception):
        def __str__(self) -> str:
            return f"https://api.telegram.org/bot{TOKEN}/sendMessage"

    def asks() -> None:
        raise OddError

    def fails() -> None:
        try:
            asks()
        except OddError as cause:
            raise RuntimeError(f"no answer from {TOKEN}") from cause

    try:
        fails()
    except RuntimeError:
        logging.getLogger("anybody").exception("it broke")
    assert "it broke" in log.getvalue()
    assert "OddError" in log.getvalue()
    assert TOKEN not in log.getvalue()


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "telegram.Bot", "tornado.access"])
def test_libraries_that_quote_messages_keep_quiet(
    log: io.StringIO, mask: MaskToken, name: str
) -> None:
    """They write URLs at INFO and whole messages at DEBUG: neither is wanted."""
    logging.getLogger(name).debug("sendMessage text=%s", "a secret wish")
    logging.getLogger(name).info("sendMessage text=%s", "a secret wish")
    assert log.getvalue() == ""


def test_a_trail_says_what_broke_and_where_and_nothing_else() -> None:
    """What an error says may be what somebody wrote."""

    def breaks() -> None:
        raise ValueError("a secret wish")

    with pytest.raises(ValueError, match="secret") as caught:
        breaks()
    assert "ValueError in breaks (test_telegram_secrecy.py:" in trail(caught.value)
    assert "secret wish" not in trail(caught.value)
