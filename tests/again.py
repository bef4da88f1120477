"""Once more, alone, what failed beside other tests: ``make test`` runs it after a failed run.

Two processes of tests, each with servers and workers of its own, share the machine, and what
starts real processes can meet a moment in which nothing of it gets a turn. What fails alone, too,
is broken. What passes alone is unsteady: it is listed, for somebody to look at.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_FAILED = Path(".pytest_cache/v/cache/lastfailed")
_MOST = 5
"""More than that is no matter of chance."""


def main(arguments: Sequence[str]) -> int:
    """Run the tests that failed last; return 0 when each passes.

    Args:
        arguments: for pytest, besides those of the project.
    """
    failed = sorted(json.loads(_FAILED.read_text())) if _FAILED.exists() else []
    if not 0 < len(failed) <= _MOST:
        return 1
    sys.stdout.write(f"\nOnce more, alone: {', '.join(failed)}\n")
    sys.stdout.flush()
    command = [sys.executable, "-m", "pytest", "-n", "0", *arguments, *failed]
    code = subprocess.run(command, check=False).returncode
    if code == 0:
        sys.stdout.write(f"Unsteady, passed alone: {', '.join(failed)}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
