"""Presses: what each button does, by its verb."""

from collections.abc import Mapping

from noctule.channels.telegram.reception import OnPress

PRESSES: Mapping[str, OnPress] = {}
"""What deals with each button."""

HEADS_ONLY: frozenset[str] = frozenset()
"""The verbs that only the owner of the data folder may press."""
