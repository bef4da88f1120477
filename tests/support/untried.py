"""Says in the last line of a test run how many attacks were tried, and which could not be.

An attack is a test of ``tests/security`` or of the sandbox. One that is skipped says why with
``needs ...`` or ``not tried: ...``; a wall that was not attacked is no wall that held.
"""

import re
from collections import Counter
from collections.abc import Iterable

import pytest

PLACES = ("tests/security/", "tests/integration/test_sandbox")
_WORDS = re.compile(r"^(?:Skipped: )?(?:not tried: )?")


def security_line(passed: Iterable[str], failed: Iterable[str], skipped: Iterable[str]) -> str:
    """Return the line.

    Args:
        passed: the ids of attacks that were held off.
        failed: of those that were not.
        skipped: the reasons of those that were not tried.
    """
    held, gave_way = len(list(passed)), len(list(failed))
    reasons = Counter(_WORDS.sub("", reason) for reason in skipped)
    line = f"security: {held + gave_way} attacks tried, "
    if gave_way:
        line += f"{gave_way} of them not held off, "
    line += f"{reasons.total()} not tried here"
    named = [f"{why} ({many})" if many > 1 else why for why, many in sorted(reasons.items())]
    return f"{line}: {'; '.join(named)}" if named else line


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Write it below everything else, if attacks were among the tests."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or hasattr(config, "workerinput"):
        return
    stats = {
        outcome: [one for one in reporter.stats.get(outcome, ()) if one.nodeid.startswith(PLACES)]
        for outcome in ("passed", "failed", "error", "skipped")
    }
    if not any(stats.values()):
        return
    passed = (one.nodeid for one in stats["passed"])
    failed = {one.nodeid for one in (*stats["failed"], *stats["error"])}
    skipped = (str(one.longrepr[2]) for one in stats["skipped"])
    reporter.write_line(security_line(passed, failed, skipped))
