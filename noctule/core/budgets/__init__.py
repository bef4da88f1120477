"""Budgets: how much may be spent, what is reserved, and whose money it is."""
