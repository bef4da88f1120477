"""Noctule: an agent orchestration runtime that sleeps through rate limits.

Puts the role folders first on the import path (the checkout root in development, the
bundled copy in an installed wheel) and makes LangGraph refuse unknown types in stored
state; both must happen before anything else of ours is imported. Tracing that the environment
switches on for other programs is switched off: traces hold whole conversations, private ones too.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
for _family in ("LANGSMITH", "LANGCHAIN"):
    for _switch in ("TRACING", "TRACING_V2"):
        os.environ.pop(f"{_family}_{_switch}", None)
_PACKAGE = Path(__file__).resolve().parent
_BUNDLE = _PACKAGE / "_app"
sys.path.insert(0, str(_BUNDLE if _BUNDLE.is_dir() else _PACKAGE.parent))
