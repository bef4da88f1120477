"""What the parent asks of the child; in a module of its own because the child runs as a script."""

from typing import TypedDict


class ServeRequest(TypedDict):
    """What the parent wants served; over standard input, so that no process list shows the key."""

    weights: str
    chat_template: str | None
    alias: str
    api_key: str
    slots: int
    context_tokens: int
    threads: int | None
    cache_mib: int
    default_max_tokens: int
    temperature: float | None
    top_p: float | None
    repeat_penalty: float | None
    verbosity: int
