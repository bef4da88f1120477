"""Writes the list of files in folder READMEs from the first sentence of each file.

A README that holds the two marks of ``BEGIN`` and ``END`` gets the list between them; the rest of
it is written by hand. ``python -m docs.folders`` writes; with ``--check`` it writes nothing and
ends with 1 when a list says something else than the folder.
"""

import argparse
import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("agents", "graphs", "tools", "storage", "noctule", "tests", "benchmarks", "docs")
BEGIN = "<!-- files: written by `make docs` from the first sentence of each -->"
END = "<!-- /files -->"


def main(arguments: Sequence[str] | None = None, root: Path = ROOT) -> int:
    """Write or check the lists of all folders.

    Args:
        arguments: of the command line; None means the process's own.
        root: the checkout.

    Returns:
        The exit code.
    """
    parser = argparse.ArgumentParser(prog="python -m docs.folders", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, only compare")
    check = parser.parse_args(arguments).check
    drifted = list(_drifted(root))
    for readme, text in drifted:
        name = readme.relative_to(root)
        if check:
            sys.stderr.write(f"{name} does not list its folder: run `make docs` and commit it.\n")
        else:
            readme.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")
    return 1 if check and drifted else 0


def listed(folder: Path) -> Iterator[str]:
    """Yield the table of a folder: its Python files, then the packages below it."""
    yield from ("| file | what it is |", "|---|---|")
    for path in sorted(folder.glob("*.py")):
        if path.name != "__init__.py":
            yield f"| `{path.name}` | {first_sentence(path)} |"
    for path in sorted(folder.glob("*/__init__.py")):
        # A link only where there is something more to read.
        name = path.parent.name
        readme = (path.parent / "README.md").is_file()
        shown = f"[`{name}/`]({name}/README.md)" if readme else f"`{name}/`"
        yield f"| {shown} | {first_sentence(path)} |"


def first_sentence(path: Path) -> str:
    """Return the first paragraph of a file's docstring on one line; empty when it has none."""
    doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    words = " ".join(doc.partition("\n\n")[0].split())
    return words.removesuffix(".").replace("``", "`").replace("|", "\\|")


def _drifted(root: Path) -> Iterator[tuple[Path, str]]:
    """Yield each README whose list differs, and what it should say."""
    for folder in FOLDERS:
        for readme in sorted((root / folder).rglob("README.md")):
            text = readme.read_text(encoding="utf-8")
            before, begin, rest = text.partition(BEGIN)
            _, end, after = rest.partition(END)
            if begin and end:
                made = "\n".join((f"{before}{BEGIN}", "", *listed(readme.parent), "", END)) + after
                if made != text:
                    yield readme, made


if __name__ == "__main__":
    sys.exit(main())
