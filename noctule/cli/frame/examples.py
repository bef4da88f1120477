"""Examples under a command's help."""


def examples(*lines: str) -> str:
    """Return command lines as an epilog that click prints as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
