"""How many random inputs a property test tries: few in `make test`, many in `make fuzz`.

In a test::

    @given(st.text())
    @settings(max_examples=examples(200))
    def test_...

A test that draws its inputs without Hypothesis takes its count from here too and is marked
``@pytest.mark.fuzz``, so that ``make fuzz`` finds it.
"""

import os

FACTOR_VARIABLE = "NOCTULE_FUZZ"


def factor() -> int:
    """Return by how much NOCTULE_FUZZ multiplies the examples; 1 when it is not set.

    Raises:
        ValueError: it is no positive integer.
    """
    written = os.environ.get(FACTOR_VARIABLE, "1")
    if not written.isdecimal() or int(written) < 1:
        raise ValueError(f"{FACTOR_VARIABLE} is {written!r}. Set it to a positive integer.")
    return int(written)


def examples(usual: int) -> int:
    """Return how many examples to try, from the number that suits `make test`."""
    return usual * factor()
