"""All benchmarks, one after another, each in a process of its own so that none warms another up.

    python -m benchmarks [NAME ...] [--json]

Options of one benchmark go to that one: `python -m benchmarks.savers --help`.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def main(argv: Sequence[str] | None = None) -> int:
    names = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(names)}")
    parser.add_argument("--json", action="store_true", help="one document, a key for each")
    given = parser.parse_args(argv)
    unknown = set(given.names) - set(names)
    if unknown:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {names}")
    failed, documents = False, {}
    for name in given.names or names:
        done = _run(name, as_json=given.json)
        failed = failed or done.returncode != 0
        if given.json and done.returncode == 0:
            documents[name] = json.loads(done.stdout)
    if given.json:
        print(json.dumps(documents, indent=2))
    return 1 if failed else 0


def _run(name: str, *, as_json: bool) -> "subprocess.CompletedProcess[str]":
    if not as_json:
        print(f"\n── {name}", flush=True)
    return subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", *(["--json"] if as_json else [])],
        cwd=FOLDER.parent,
        stdout=subprocess.PIPE if as_json else None,
        text=True,
        check=False,
    )


if __name__ == "__main__":
    sys.exit(main())
