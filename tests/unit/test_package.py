import re
from pathlib import Path

import pytest

from docs.package import PackageMetadata, resolve

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://forge.example/team/noctule"
LINK = re.compile(r"\]\(([^)]+)\)")


def made(monkeypatch: pytest.MonkeyPatch, repository: str) -> dict:
    """Return what the hook fills in."""
    monkeypatch.setenv("NOCTULE_REPOSITORY", repository)
    metadata: dict = {"version": "1.2.3"}
    PackageMetadata(str(ROOT), {}).update(metadata)
    return metadata


def test_without_an_address_no_link_leads_nowhere(monkeypatch):
    """What is left leads to a heading or is absolute; guides are named by their command."""
    metadata = made(monkeypatch, "")
    text = metadata["readme"]["text"]
    relative = [to for to in LINK.findall(text) if not to.startswith(("#", "https://", "http://"))]
    assert (relative, metadata["urls"]) == ([], {})
    assert "`noctule docs telegram`" in text
    assert "<!--" not in text
    for heading in re.findall(r"\]\(#([^)]+)\)", text):
        assert heading in [re.sub(r"\W+", "-", line.lower()) for line in headings(text)]


def headings(text: str) -> list[str]:
    """Return the headings of a Markdown text."""
    return re.findall(r"^#+ (.*)$", text, re.MULTILINE)


def test_with_an_address_links_lead_to_files_of_the_version(monkeypatch):
    """Every file a link of the README names is in the repository, at the tag of the version."""
    metadata = made(monkeypatch, REPOSITORY + "/")
    files = f"{REPOSITORY}/blob/v1.2.3/"
    targets = [to for to in LINK.findall(metadata["readme"]["text"]) if to.startswith(files)]
    assert targets
    missing = [to for to in targets if not (ROOT / to.removeprefix(files).split("#")[0]).exists()]
    assert missing == []
    assert metadata["urls"]["Source"] == REPOSITORY
    assert metadata["urls"]["Changelog"] == f"{files}CHANGELOG.md"


def test_links_are_told_from_what_only_looks_like_one():
    """Code in a link's words stays; headings and other sites are left as they are."""
    text = "[`a[0]`](x.md) [up](#top) [out](https://example.org) [g](docs/guides/tools.md#mcp)"
    assert resolve(text, "") == (
        "`a[0]` [up](#top) [out](https://example.org) g (`noctule docs tools`)"
    )
    assert "(https://f.example/docs/guides/tools.md#mcp)" in resolve(text, "https://f.example")
