"""How long something has been going on, as it stands behind it."""

_WORTH_SAYING_S = 3
_MINUTE_S = 60


def since(seconds: float) -> str:
    """Return `` · 12 s`` or `` · 2 min 05 s``; "" for what has only just begun."""
    if seconds < _WORTH_SAYING_S:
        return ""
    minutes, rest = divmod(int(seconds), _MINUTE_S)
    return f" · {minutes} min {rest:02d} s" if minutes else f" · {rest} s"
