"""Checks of everything a first-day user gets wrong; each finding says how to mend it."""
