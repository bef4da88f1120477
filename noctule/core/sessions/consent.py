"""Consent: what a yes covers and what it does not, in words for whoever gives it.

The same words stand on the question, behind its answers, and in the list of what was allowed.
"""

from noctule.core.base.tool_names import BUILT_IN
from noctule.core.sessions.grants import TOO_MUCH, Grant, Seal, files_of, hosts_of
from noctule.core.tools.approval_text import on_one_line

_MOST_FILES = 6
_NAME_CHARS = 120
_RULE_CHARS = 240


def is_exact(tool: str | None) -> bool:
    """Say whether a grant for a tool covers one call as it was shown, not every call."""
    return tool in {*BUILT_IN["shell"], *BUILT_IN["files"]}


def covered(tool: str | None, *, server: str | None, seal: Seal | None) -> str:
    """Return what an answer for longer than once allows, as a noun clause.

    Args:
        tool: its name; None is said as "it".
        server: its MCP server; None for others.
        seal: what is shown; None or empty where nothing of it could change.
    """
    if server is not None:
        return f"every call of {tool} (MCP server {server!r}) as it describes itself now"
    if tool in BUILT_IN["files"]:
        return f"{tool} on exactly this file"
    hosts = hosts_of(seal or {})
    if tool == "fetch" and hosts:
        return f"every address of {', '.join(map(_name, hosts))}"
    if tool in BUILT_IN["shell"]:
        return _exactly("code" if tool == "python" else "command", seal or {})
    changing = " as it is written now" if seal else ""
    return f"everything {tool or 'it'} is asked to do{changing}"


def not_covered(tool: str | None, *, server: str | None) -> str | None:
    """Return what such an answer leaves out, as a sentence; None when there is nothing to say."""
    if server is not None:
        return (
            "Any arguments are allowed. When its description, its arguments or the server's "
            "command or address change, it is asked again; what the server does behind them is "
            "not seen."
        )
    if tool == "shell":
        return "What these call, import or read is not covered: it may change without a question."
    if tool == "python":
        return (
            "What the modules it names import, and the files it reads, are not covered: they may "
            "change without a question."
        )
    if tool in BUILT_IN["files"]:
        return "What is written there is not covered."
    return None


def where(session_id: str | None, workspace: str | None, *, whose: str = "mine") -> str:
    """Return for which sessions something holds."""
    if session_id is not None:
        return "until this session ends"
    if workspace is None:
        return f"in every session of {whose} that has a folder of its own"
    return f"in every session of {whose} in {_name(workspace)}"


def rule_of(grant: Grant) -> str:
    """Return the rule of a grant, fit to be shown."""
    return on_one_line(grant.rule, most=_RULE_CHARS)


def scope_of(grant: Grant) -> str:
    """Return what a grant covers and what not, in sentences fit to be shown."""
    if grant.is_spent:
        return (
            "Nothing any more: it is older than the binding to a folder and to what runs, so the "
            "next such call asks once."
        )
    if grant.tool is None:
        more = ", also after text from outside was read" if grant.despite_outside else ""
        return f"Whatever that fits in its session{more}."
    folder = f"in {_name(grant.workspace)}" if grant.workspace else "where the folder is its own"
    what = covered(grant.tool, server=grant.server, seal=grant.seal)
    left_out = not_covered(grant.tool, server=grant.server)
    return f"{_capital(what)}, {folder}.{f' {left_out}' if left_out else ''}"


def _exactly(what: str, seal: Seal) -> str:
    if TOO_MUCH in seal:
        return "only this once, because it names more than is looked at each time"
    return f"exactly this {what}{_with_files(seal)}"


def _with_files(seal: Seal) -> str:
    files = files_of(seal)
    shown = ", ".join(map(_name, files[:_MOST_FILES]))
    more = f" and {len(files) - _MOST_FILES:,} more files" if len(files) > _MOST_FILES else ""
    are = "it is" if len(files) == 1 else "they are"
    return f", with {shown}{more} as {are} now" if files else ""


def _name(name: str) -> str:
    return on_one_line(name, most=_NAME_CHARS)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
