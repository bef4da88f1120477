from hypothesis import given
from hypothesis import strategies as st

from noctule.cli.short_ids import short_ids

IDS = st.sets(st.text("01a-", min_size=1, max_size=8), max_size=12)


@given(IDS, st.integers(1, 6))
def test_a_short_id_belongs_to_one_id_alone(ids, least):
    """It begins its id, is long enough, and no other id begins like it unless that is the id."""
    short = short_ids(ids, least=least)
    assert short.keys() == ids
    for name, beginning in short.items():
        assert name.startswith(beginning)
        assert len(beginning) >= min(least, len(name))
        alike = {other for other in ids if other.startswith(beginning)}
        assert alike == {name} or beginning == name


def test_ids_of_one_millisecond_are_told_apart():
    """Where thirteen characters are shared, more are shown."""
    one, other = "01a200e0-551d-77ae-be3d", "01a200e0-551d-77bf-0000"
    assert set(short_ids([one, other]).values()) == {"01a200e0-551d-77a", "01a200e0-551d-77b"}
