"""``python -m noctule``: nothing is imported from the folder one stands in."""

import os
import sys


def _leave_folder() -> None:
    """Take the folder off the import path that Python has put there because of ``-m``.

    Whatever is called like a library there would be run. A checkout of Noctule stays.
    """
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - no import yet
    for entry in sys.path[:2]:  # the package puts its own before it
        if os.path.realpath(entry) == os.path.realpath(os.curdir) != os.path.realpath(ours):
            sys.path.remove(entry)
            return


if not sys.flags.safe_path:
    _leave_folder()

from noctule.cli.main import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
