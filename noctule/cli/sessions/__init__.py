"""``noctule sessions`` and ``noctule why``: what is shown of a session, and orders for it."""
