from pathlib import Path

import pytest

from noctule.core.settings.tools import ToolsSettings
from tests.support.workbench import a_context, a_workspace
from tools.files.files import file_tools
from tools.web.fetch import web_fetch

TOOLS = {tool.name: tool for tool in file_tools(ToolsSettings())}


@pytest.mark.parametrize("name", ["read_file", "list_files", "search_files"])
def test_a_path_has_one_name_however_it_is_written(tmp_path: Path, name: str):
    """A rule about a folder holds for absolute paths and links into it; people see both names."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "a").write_text("x")
    (tmp_path / "open").symlink_to("secrets")
    context = a_context(a_workspace(tmp_path))

    def subject(path: str) -> str | None:
        tool = TOOLS[name]
        return tool.subject_in(
            tool.arguments.model_validate({"path": path, "pattern": "x"}), context
        )

    root = context.workspace.root
    assert subject("secrets/a") == "secrets/a"
    assert subject("./secrets//x/../a") == "secrets/a"
    assert subject(f"{root}/secrets/a") == "secrets/a"
    assert subject("open/a") == "open/a\nsecrets/a"
    assert subject(f"{root}/open/a") == "secrets/a"
    assert subject("../elsewhere") == "../elsewhere"
    (tmp_path / "secrets" / "deep").mkdir()
    (tmp_path / "down").symlink_to("secrets/deep")
    assert subject("down/../a") == "a\nsecrets/a"


def test_a_patch_is_about_the_files_its_paths_lead_to(tmp_path: Path):
    """Also about those that a link hides."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "open").symlink_to("secrets")
    tool = TOOLS["apply_patch"]
    patch = "--- /dev/null\n+++ b/open/a\n@@ -0,0 +1 @@\n+x\n"
    subject = tool.subject_in(tool.arguments(patch=patch), a_context(a_workspace(tmp_path)))
    assert subject == "open/a\nsecrets/a"


@pytest.mark.parametrize(
    "written",
    ["https://example.org/a", " HTTPS://EXAMPLE.org:443/a#b ", "https://example.org./a"],
)
def test_an_address_has_one_name_however_it_is_written(written: str):
    """A rule about a site holds for it in capitals, with its usual port and with a dot."""
    fetch = web_fetch(ToolsSettings())
    assert fetch.subject(fetch.arguments(url=written)) == "https://example.org/a"
