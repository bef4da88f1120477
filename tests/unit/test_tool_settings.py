import pytest

from noctule.core.base.roles import Role
from noctule.core.settings import Settings, find_problems


def found(tools=None, /, **chat):
    bindings = {role.value: {"primary": "a"} for role in Role}
    settings = Settings.model_validate(
        {
            "endpoints": {"one": {"kind": "ollama"}},
            "models": {"a": {"endpoint": "one", "name": "a1"}},
            "roles": {**bindings, "chat": {"primary": "a", **chat}},
            "tools": tools or {},
        }
    )
    return [(".".join(finding.path), finding.fix) for finding in find_problems(settings)]


def test_tools_families_and_servers_may_be_named():
    """Built-in tools, families, MCP servers, and tools whose names only a server knows."""
    servers = {"hub": {"command": ["hub"]}, "far": {"url": "https://far.example/mcp"}}
    names = ["files", "fetch", "mcp", "own", "mcp:hub", "far_search", "write_code"]
    rules = {"shell:git push*": "deny", "mcp:hub": "allow", "mcp:far:*x*": "ask", "hub_go": "ask"}
    searx = {"engine": "searxng", "url": "http://127.0.0.1:8080"}
    tools = {"mcp": servers, "permissions": rules, "search": searx}
    assert found(tools, tools=names, permissions={"python": "ask"}) == []


def test_a_misspelt_tool_is_found_where_it_stands():
    """In a role's tools, and above all in rules, where a misspelt deny would allow."""
    problems = found(
        {"permissions": {"shel:rm *": "deny", "mcp:gone": "deny"}},
        tools=["web-search", "ask"],
        permissions={"fly": "ask"},
    )
    assert [path for path, _ in problems] == [
        "tools.permissions.shel:rm *",
        "tools.permissions.mcp:gone",
        "roles.chat.tools",
        "roles.chat.permissions.fly",
    ]
    assert problems[0][1].startswith("did you mean 'shell'? There are: files, shell, ")
    assert problems[2][1].startswith("did you mean 'web_search'?")


def test_tools_of_a_folder_are_not_known_before_it_is_read():
    """With a folder of own tools any plain name may be one of them; a server's name may not."""
    folder = {"folder": "/some/where", "permissions": {"fly": "deny"}}
    assert found(folder, tools=["water_level"]) == []
    assert [path for path, _ in found(folder, tools=["mcp:gone"])] == ["roles.chat.tools"]


@pytest.mark.parametrize(
    ("tools", "path"),
    [
        ({"mcp": {"my server": {"command": ["x"]}}}, "tools.mcp.my server"),
        ({"mcp": {"files": {"command": ["x"]}}}, "tools.mcp.files"),
        ({"mcp": {"far": {"url": "far.example"}}}, "tools.mcp.far.url"),
        ({"mcp": {"far": {"url": "https://u:p@far.example"}}}, "tools.mcp.far.url"),
        ({"search": {"engine": "searxng"}}, "tools.search.url"),
        ({"search": {"url": "http://127.0.0.1"}}, "tools.search.url"),
        ({"search": {"engine": "searxng", "url": "here"}}, "tools.search.url"),
        ({"fetch_ports": [80, 0]}, "tools.fetch_ports"),
        ({"fetch_ports": [70000]}, "tools.fetch_ports"),
    ],
)
def test_what_can_never_work_is_found(tools, path):
    """Names no provider takes, addresses that are none, an engine without its address."""
    ((where, fix),) = found(tools)
    assert where == path
    assert fix
