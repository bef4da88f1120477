"""Command words: telling a command line from a program in Python, which small models mix up."""

import ast

COMMANDS = frozenset({
    "awk", "bash", "cargo", "cat", "cd", "chmod", "cmake", "cp", "curl", "cut", "diff", "docker",
    "echo", "env", "export", "find", "gcc", "git", "go", "grep", "head", "ls", "make", "mkdir",
    "mv", "node", "npm", "npx", "pip", "pip3", "pwd", "pytest", "python", "python3", "rg", "rm",
    "ruff", "sed", "sh", "sort", "source", "sudo", "tail", "tar", "touch", "tree", "uv", "wc",
    "which", "xargs", "yarn",
})  # fmt: skip
"""Words that begin a command line and hardly a program in Python."""


def is_command_line(code: str) -> bool:
    """Whether what was meant to be a program in Python is a command line.

    Args:
        code: what a model wrote. A program that Python could run is none, whatever it begins with.
    """
    line = next((one for one in code.splitlines() if one.strip()), "")
    words = line.split()
    if not words or words[0].lstrip("!$%") not in COMMANDS:
        return False
    tree = _parsed(code)
    if tree is None:
        return True
    value = getattr(tree.body[0], "value", None) if tree.body else None
    while isinstance(value, ast.BinOp):  # ``ls -la`` is a subtraction
        value = value.left
    return isinstance(value, ast.Name)


def is_python(command: str) -> bool:
    """Whether what was meant to be a command line is a program in Python: it begins with imports.

    Args:
        command: what a model wrote.
    """
    if not command.lstrip().startswith(("import ", "from ", "def ", "class ")):
        return False
    return _parsed(command) is not None


def _parsed(code: str) -> ast.Module | None:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
