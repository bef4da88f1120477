"""Screens: what a turn is shown on, redrawn or appended to."""
