from datetime import timedelta

from tests.support.outage_week import HOSTS, live_through

SESSIONS = 10
MOST_IN_AN_HOUR = 10
"""Six by the guesses, one for each person who types, and those that end a row of guesses."""

LONGEST_GAP = timedelta(minutes=31)


async def test_every_session_of_a_week_of_outages_ends(tmp_path):
    """Whatever a host does for hours: all are answered, soon, for few requests in vain."""
    wrong = []
    for number, (name, host) in enumerate(HOSTS.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        week = await live_through(host, folder, sessions=SESSIONS)
        if week.unanswered:
            wrong.append(f"{name}: {week.unanswered}")
        if week.asked_person and not host.asks_person:
            wrong.append(f"{name}: {week.asked_person} wait for a person")
        if not week.refused_at:
            wrong.append(f"{name}: nobody was refused")
        if week.most_refused_in_an_hour > MOST_IN_AN_HOUR:
            wrong.append(f"{name}: {week.most_refused_in_an_hour} requests in vain in an hour")
        if week.longest_gap > LONGEST_GAP:
            wrong.append(f"{name}: {week.longest_gap} from recovery to answer")
    assert not wrong, "\n".join(wrong)


async def test_with_a_fallback_nobody_sleeps_through_an_outage(tmp_path):
    """The other endpoint answers at once; a person is asked for nothing."""
    wrong = []
    for number, name in enumerate(("dead for a day", "402 cannot afford, 10 h")):
        folder = tmp_path / str(number)
        folder.mkdir()
        week = await live_through(HOSTS[name], folder, sessions=SESSIONS, stands_in=True)
        if week.unanswered or week.asked_person or week.longest_gap > timedelta(seconds=1):
            wrong.append(f"{name}: {week}")
    assert wrong == []
