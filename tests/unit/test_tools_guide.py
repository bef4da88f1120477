import re
from pathlib import Path

import pytest
import yaml

from agents.chat import CHAT
from agents.engineer import ENGINEER
from agents.research import RESEARCH
from agents.writer import WRITER
from noctule.config.loading import load_text
from noctule.core.base.tool_names import BUILT_IN
from noctule.core.settings import Permission, Settings
from noctule.core.settings.tools import ToolsSettings
from noctule.core.tools.effects import EffectClass
from noctule.core.tools.permissions import Act, decide
from tests.support.small_config import CONFIG
from tools.custom import own_tools

GUIDE = (Path(__file__).parents[2] / "docs/guides/tools.md").read_text(encoding="utf-8")
YAML = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
SECRETS = {"TICKETS_TOKEN": "t", "WIKI_TOKEN": "w"}


def settings_of(block: str, folder: Path) -> Settings:
    """The small configuration with a block of the guide over it."""
    document, shown = yaml.safe_load(CONFIG), yaml.safe_load(block)
    for role, binding in shown.pop("roles", {}).items():
        document["roles"][role] |= binding
    document |= shown
    if "mcp:tickets" in block:
        document.setdefault("tools", {})["mcp"] = {"tickets": {"command": ["tickets-mcp"]}}
    return load_text(yaml.safe_dump(document), environ=SECRETS, folder=folder, file="config.yaml")


@pytest.mark.parametrize("block", YAML)
def test_each_configuration_of_the_guide_is_sound(block, tmp_path):
    """Names, units and values are those of the settings."""
    settings_of(block, tmp_path)


def test_rules_do_what_the_guide_says(tmp_path):
    """The longest key decides, a role's rule stands in its place, commands are taken apart."""
    (block,) = (block for block in YAML if "git push*" in block)
    settings = settings_of(block, tmp_path)
    rules = settings.tools.permissions

    def shell(command, rules):
        act = Act("shell", "shell", EffectClass.WRITE, command)
        return decide(act, rules=rules).permission

    assert shell("cd x && git push", rules) is Permission.DENY
    assert shell("git status", rules) is Permission.ALLOW
    careful = {"shell": Permission.ASK, "shell:git status*": Permission.ALLOW}
    assert shell("git status -s", careful) is Permission.ALLOW
    assert shell("git status; rm -r src", careful) is Permission.ASK
    page = Act("fetch", "web", EffectClass.READ, "https://example.org")
    role_rules = settings.roles["research"].permissions
    assert decide(page, rules=rules).permission is Permission.ASK
    assert decide(page, rules=rules, role_rules=role_rules).permission is Permission.ALLOW


def test_the_function_of_the_guide_is_a_tool(tmp_path):
    """As it stands there, with the effect it says."""
    (code,) = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "water.py").write_text(code, encoding="utf-8")
    problems: list[str] = []
    (found,) = own_tools(ToolsSettings(folder=tmp_path), problems)
    assert (found.name, found.effect, problems) == ("water_level", EffectClass.READ, [])


def test_the_table_names_every_tool():
    """By family, and no other."""
    for family, tools in BUILT_IN.items():
        assert f"| `{family}` | {', '.join(f'`{tool}`' for tool in tools)} |" in GUIDE


def test_the_usual_tools_of_each_role_are_those_of_the_guide():
    """In the order in which the agents have them."""
    words = " ".join(GUIDE.split())
    for agent in (ENGINEER, RESEARCH, WRITER, CHAT):
        usual = ", ".join(f"`{family}`" for family in agent.tools)
        assert re.search(f"{agent.role.value}( has)? {usual}", words)
