import logging

from noctule.cli.frame.logs import Discreet


def test_a_traceback_in_the_log_holds_no_key_whoever_it_belongs_to():
    """What an own tool fails with may quote keys that the configuration knows nothing of."""
    key = "sk-proj-abcdefghijklmnop1234"
    record = logging.LogRecord("tools.own", logging.WARNING, "", 0, "It failed: %s", (key,), None)
    record.exc_text = f"ValueError: {key} and known-secret"
    line = Discreet(["known-secret"]).format(record)
    assert key not in line
    assert "known-secret" not in line
