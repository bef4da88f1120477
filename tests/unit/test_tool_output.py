from hypothesis import given
from hypothesis import strategies as st

from tools.shell.output import Output


@given(st.lists(st.binary(max_size=40).map(lambda piece: piece.hex().encode()), max_size=20))
def test_what_fits_is_kept_and_of_more_head_tail_and_a_count(pieces: list[bytes]):
    """However it comes in pieces, nothing is lost but the middle, which is counted."""
    output = Output(kept_bytes=50)
    for piece in pieces:
        output.add(piece)
    whole = b"".join(pieces)
    assert output.total == len(whole)
    if len(whole) <= 100:
        assert output.text() == whole.decode()
    else:
        gap = f"\n... {len(whole) - 100:,} bytes are left out here ...\n"
        assert output.text() == f"{whole[:50].decode()}{gap}{whole[-50:].decode()}"


def test_a_stream_without_end_takes_no_more_memory():
    """What is held is bounded by what is kept and one piece more on each side."""
    output = Output(kept_bytes=1000)
    for _ in range(10_000):
        output.add(b"x" * 700)
    assert output.total == 7_000_000
    assert output._tail_bytes <= 1000 + 700
    assert len(output._tail) <= 3


def test_bytes_that_are_no_text_are_replaced():
    """A binary output does not break the call."""
    output = Output()
    output.add(b"caf\xe9 \xff")
    assert output.text() == "caf\ufffd \ufffd"
