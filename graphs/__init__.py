"""The state machine. Importing Noctule first makes LangGraph refuse unknown stored types."""

import noctule  # noqa: F401 - sets LANGGRAPH_STRICT_MSGPACK before langgraph is imported
