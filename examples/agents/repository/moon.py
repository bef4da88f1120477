"""The age of the moon, by the mean length of its months."""

from datetime import date, timedelta

EPOCH = date(2000, 1, 6)
"""A day on which the moon was new."""

MONTH_DAYS = 29.53058867


def age(day: date) -> float:
    """Return how many days old the moon is on a day; 0 is new."""
    return _since(day).days % MONTH_DAYS


def _since(day: date) -> timedelta:
    return EPOCH - day
