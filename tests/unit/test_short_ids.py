from hypothesis import given
from hypothesis import strategies as st

from noctule.core.base.short_ids import short_ids

IDS = st.sets(st.text("01a-", min_size=1, max_size=8), max_size=12)


@given(IDS, st.integers(1, 6))
def test_a_short_id_belongs_to_one_id_alone(ids, least):
    """It ends its id, is long enough, and no other id ends like it unless that is the id."""
    short = short_ids(ids, least=least)
    assert short.keys() == ids
    for name, end in short.items():
        assert name.endswith(end)
        assert len(end) >= min(least, len(name))
        alike = {other for other in ids if other.endswith(end)}
        assert alike == {name} or end == name


def test_ids_with_the_same_end_are_told_apart():
    """Where eight characters are shared, more are shown."""
    one, other = "01a200e0-551d-77ae-0000-beef0123cafe", "01a200e0-551d-77bf-0000-beee0123cafe"
    assert set(short_ids([one, other]).values()) == {"f0123cafe", "e0123cafe"}
