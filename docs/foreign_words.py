"""Counts words foreign to those who read them, in strings and pages; the counts may only shrink.

``python -m docs.foreign_words`` compares with ``foreign_words.json``: a count that grew fails, and
so does one that shrank and was not written down. ``--lower`` writes what there is now, unless a
word stands in all files together more often than before: files may be moved.
"""

import argparse
import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STORED = Path(__file__).with_suffix(".json")
PACKAGES = ("noctule", "agents", "graphs", "tools", "storage")
FOLDERS = (*PACKAGES, "docs", "examples", ".github")
PAGES = frozenset({".md", ".yml", ".yaml"})
EXEMPT = frozenset({"docs/english.md", "CHANGELOG.md"})  # one quotes them, one is history
FOREIGN = (
    r"mend(?:s|ed|ing)?",
    r"(?<!there )(?:is|are|was|were) no(?! longer| more)",
    r"(?:goes|going|go|went|gone) on",
    r"(?:stands|stood)",
    r"anew",
    r"whoever|whomever|whatever|somebody|nobody",
    r"(?:say|says|said) (?:it|that|this) again",
    r"dearest",
    r"any more",
    r"at the moment",
    r"(?:begin|begins|began|begun)",
    r"passed over",
    r"taken back",
    r"reckon(?:s|ed)?",
    r"come(?:s)? of (?:it|that)",
)
_WORDS = re.compile(rf"\b(?:{'|'.join(FOREIGN)})\b", re.IGNORECASE)
_LISTED = re.compile(r"<!-- files:.*?<!-- /files -->", re.DOTALL)
"""What ``docs.folders`` writes into the README of a folder: first sentences of docstrings."""

Counts = Mapping[str, Mapping[str, int]]
"""For each file, how often each word stands in it; what is not there is not named."""


def main(arguments: Sequence[str] | None = None, root: Path = ROOT, stored: Path = STORED) -> int:
    """Compare the counts, or write those that shrank.

    Args:
        arguments: of the command line; None means the process's own.
        root: the checkout.
        stored: the counts allowed.

    Returns:
        The exit code: 1 when a count grew, or shrank and is not written down.
    """
    parser = argparse.ArgumentParser(prog="python -m docs.foreign_words", description=__doc__)
    parser.add_argument("--lower", action="store_true", help="write counts that shrank")
    lower = parser.parse_args(arguments).lower
    allowed: Counts = json.loads(stored.read_text(encoding="utf-8"))
    found = count(root)
    if found == allowed:
        return 0
    if lower:
        grown = _grown(_totals(found), _totals(allowed))
        if not grown:
            stored.write_text(_written(found), encoding="utf-8")
            return 0
        sys.stderr.write(f"More than before in all files together: {', '.join(grown)}.\n")
        return 1
    for name in sorted({*found, *allowed}):
        sys.stderr.writelines(_differences(name, found.get(name, {}), allowed.get(name, {})))
    sys.stderr.write("docs/english.md says why, and what to write instead.\n")
    return 1


def count(root: Path) -> dict[str, dict[str, int]]:
    """Return how often each foreign word stands in each file's strings or page.

    Docstrings are left out: those that people read stand in ``docs/reference/``.

    Args:
        root: the checkout.
    """
    counts: dict[str, dict[str, int]] = {}
    for path in _files(root):
        name = path.relative_to(root).as_posix()
        text = path.read_text(encoding="utf-8")
        words = Counter(
            " ".join(match.group().lower().split())
            for said in (_strings(text) if path.suffix == ".py" else _LISTED.split(text))
            for match in _WORDS.finditer(" ".join(said.split()))
            if not match.group().isupper()  # BEGIN is SQL
        )
        if words and name not in EXEMPT:
            counts[name] = dict(sorted(words.items()))
    return counts


def _files(root: Path) -> Iterator[Path]:
    yield from sorted(root.glob("*.md"))
    yield root / "config.yaml"
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in PAGES or (path.suffix == ".py" and folder in PACKAGES):
                yield path


def _strings(source: str) -> Iterator[str]:
    """Yield the string literals of a file, without docstrings."""
    tree = ast.parse(source)
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.value if " " in node.value else ""  # one word is a key, not a sentence


def _totals(counts: Counts) -> Counter[str]:
    totals: Counter[str] = Counter()
    for words in counts.values():
        totals.update(words)
    return totals


def _grown(now: Mapping[str, int], before: Mapping[str, int]) -> list[str]:
    return [word for word, times in now.items() if times > before.get(word, 0)]


def _differences(name: str, now: Mapping[str, int], before: Mapping[str, int]) -> Iterator[str]:
    for word in _grown(now, before):
        most = before.get(word, 0)
        yield f"{name}: {word!r} {now[word]} times, at most {most}: say it in another way.\n"
    if _grown(before, now):
        yield f"{name}: fewer than stored; `python -m docs.foreign_words --lower` lowers it.\n"


def _written(counts: Counts) -> str:
    lines = (f"{json.dumps(name)}: {json.dumps(words)}" for name, words in sorted(counts.items()))
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    sys.exit(main())
