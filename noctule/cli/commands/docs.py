"""``noctule docs``: the tutorial, guides and reference pages, wherever Noctule is installed."""

import difflib
import sys
from pathlib import Path

import click

from noctule.cli.frame.invocation import Invocation, runs


@click.command("docs")
@click.argument("topic", metavar="[TOPIC]", required=False)
@runs
async def command(invocation: Invocation, *, topic: str | None) -> None:
    """Read a guide or a reference page; without TOPIC, list them.

    The pages match the installed version. `noctule docs tutorial` is the place to start,
    `noctule docs configuration` a guide, `noctule docs reference/configuration` every key,
    `noctule docs reference/json/chat` the JSON Schema of `chat --json`.
    """
    from noctule.config.places import packaged_docs  # noqa: PLC0415 - not for --help
    from noctule.core.errors import UsageError  # noqa: PLC0415 - likewise

    del invocation  # no configuration is needed to read about it
    folder = packaged_docs()
    topics = _topics(folder)
    if topic is None:
        _list(topics)
        return
    name = topic.removeprefix("docs/").removeprefix("guides/").removesuffix(".md")
    path = topics.get(name) or _schemas(folder).get(name.removesuffix(".json"))
    if path is None:
        near = difflib.get_close_matches(topic, topics, n=2)
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        raise UsageError(f"There is no page {topic!r}.{meant} List them with `noctule docs`.")
    text = path.read_text(encoding="utf-8")
    if sys.stdin.isatty() and sys.stdout.isatty():
        click.echo_via_pager(text)
    else:
        click.echo(text, nl=False)


def _topics(folder: Path) -> dict[str, Path]:
    """Return the pages by their names: tutorial, guides, reference."""
    tutorial = {path.stem: path for path in folder.glob("tutorial.md")}
    guides = {path.stem: path for path in sorted((folder / "guides").glob("*.md"))}
    pages = sorted((folder / "reference").glob("*.md"))
    return tutorial | guides | {f"reference/{path.stem}": path for path in pages}


def _schemas(folder: Path) -> dict[str, Path]:
    """Return the schemas of `--json` documents; too many to be listed among the pages."""
    return {
        f"reference/json/{path.stem}": path for path in (folder / "reference/json").glob("*.json")
    }


def _list(topics: dict[str, Path]) -> None:
    width = max(map(len, topics), default=0)
    for topic, path in topics.items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        click.echo(f"{topic:{width}}  {first.lstrip('# ')}")
    click.echo("Read one with `noctule docs TOPIC`.")
