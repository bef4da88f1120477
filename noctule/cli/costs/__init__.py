"""``noctule costs`` and ``noctule budgets``: pages, documents, tables."""
