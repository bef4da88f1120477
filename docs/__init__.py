"""Guides, decisions, and the reference, which ``docs.generate`` writes from the code."""
