"""The age of the moon on days that are known."""

import unittest
from datetime import date, timedelta

from moon import MONTH_DAYS, age

WEEK_DAYS = 7


class AgeTest(unittest.TestCase):
    """Known days."""

    def test_a_new_moon_is_no_day_old(self) -> None:
        """The day everything is counted from."""
        assert age(date(2000, 1, 6)) == 0

    def test_a_week_later_it_is_a_week_old(self) -> None:
        """Days are counted forward."""
        assert age(date(2000, 1, 6) + timedelta(WEEK_DAYS)) == WEEK_DAYS

    def test_it_is_never_older_than_a_month(self) -> None:
        """Whatever the day."""
        assert all(age(date(2026, 1, day)) < MONTH_DAYS for day in range(1, 32))


if __name__ == "__main__":
    unittest.main()
