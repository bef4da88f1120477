"""What the package says of itself: the README with links that resolve, and URLs.

Links of the README lead to files beside it, which a package index does not have. Where the address
of the repository is known while building (``NOCTULE_REPOSITORY=https://host/owner/noctule``), they
lead there, at the tag of the version, and the metadata names it; else a guide's link becomes the
command that shows it, and others keep their words alone. No address is made up. Hatchling calls
this.
"""

import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

VARIABLE = "NOCTULE_REPOSITORY"
_COMMENT = re.compile(r"^<!--.*?-->\n", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[(?P<words>(?:`[^`]*`|[^\]`])*)\]\((?P<target>[^)\s]+)\)")
_PAGE = re.compile(r"docs/(?:guides/)?(?P<topic>(?:reference/)?[a-z_-]+)\.md")


class PackageMetadata(MetadataHookInterface):
    """Fills in the readme and the URLs."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set both; called once for each build.

        Args:
            metadata: the table ``project`` of ``pyproject.toml``.
        """
        repository = os.environ.get(VARIABLE, "").rstrip("/")
        text = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {
            "content-type": "text/markdown",
            "text": resolve(text, files_at(repository, metadata["version"])),
        }
        metadata["urls"] = urls(repository, metadata["version"])


def files_at(repository: str, version: str) -> str:
    """Return where the files of a version are; "" when the repository is not known."""
    return f"{repository}/blob/v{version}" if repository else ""


def urls(repository: str, version: str) -> dict[str, str]:
    """Return the project's addresses; {} when the repository is not known."""
    if not repository:
        return {}
    files = files_at(repository, version)
    return {
        "Source": repository,
        "Issues": f"{repository}/issues",
        "Documentation": f"{files}/docs/README.md",
        "Changelog": f"{files}/CHANGELOG.md",
    }


def resolve(readme: str, files: str) -> str:
    """Return the README as an index can show it: no comments, no link that leads nowhere.

    Args:
        readme: Markdown whose relative links start at the root of the repository.
        files: the address those files have; "" when there is none.
    """

    def link(found: re.Match[str]) -> str:
        words, target = found["words"], found["target"]
        if target.startswith(("#", "http://", "https://")):
            return found[0]
        if files:
            return f"[{words}]({files}/{target})"
        page = _PAGE.fullmatch(target.partition("#")[0])
        return f"{words} (`noctule docs {page['topic']}`)" if page and _shipped(page) else words

    return _LINK.sub(link, _COMMENT.sub("", readme))


def _shipped(page: re.Match[str]) -> bool:
    return page[0].startswith(("docs/guides/", "docs/reference/", "docs/tutorial"))
