from noctule.core.reports.overview import first_to_wake, is_resting, standing_turn, wakes_at
from noctule.core.sessions.lifecycle import Status
from tests.support.stored_records import NOON, a_parking, a_turn, later


def test_a_session_stands_where_its_oldest_unfinished_turn_stands():
    """Without an unfinished turn it is the latest; without any turn there is none."""
    done, parked = a_turn("t1", status=Status.DONE), a_turn("t2", status=Status.PARKED)
    queued, failed = a_turn("t3"), a_turn("t4", status=Status.FAILED)
    assert standing_turn([done, parked, queued]) is parked
    assert standing_turn([done, failed]) is failed
    assert standing_turn([]) is None


def test_only_what_rests_has_a_wake_time():
    """A time left over from before does not show on a turn that runs or is finished."""
    for status in Status:
        turn = a_turn(status=status, wake_at=later(5))
        rests = status in {Status.QUEUED, Status.PARKED, Status.WAITING}
        assert wakes_at(turn) == (later(5) if rests else None)


def test_a_session_rests_when_nothing_happens_now():
    """Asleep, waiting, finished or queued for later; not while it runs or its time has come."""
    assert is_resting(None, NOON)
    assert is_resting(a_turn(status=Status.PARKED), NOON)
    assert is_resting(a_turn(status=Status.WAITING), NOON)
    assert is_resting(a_turn(wake_at=later(5)), NOON)
    assert is_resting(a_turn(status=Status.PARKED, wake_at=later(5)), NOON)
    assert not is_resting(a_turn(status=Status.PARKED, wake_at=NOON), NOON)
    assert not is_resting(a_turn(), NOON)
    assert not is_resting(a_turn(wake_at=NOON), NOON)
    assert not is_resting(a_turn(status=Status.RUNNING), NOON)


def test_the_earliest_wake_decides_and_hands_come_last():
    """A branch that only a person wakes does not hide one with a time."""
    hand, late, soon = a_parking("p1", wake_at=None), a_parking("p2", wake_at=later(9)), a_parking()
    soon = a_parking("p3", wake_at=later(5))
    assert first_to_wake([hand, late, soon]) is soon
    assert first_to_wake([hand]) is hand
    assert first_to_wake([]) is None
