"""What many tests ask for."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.support import fuzzing
from tests.support.embedded import SharedServer, running_embedded
from tests.support.postgres import fresh_database, running_server
from tests.support.scratch import close_scratch
from tests.support.untried import pytest_unconfigure  # noqa: F401 - a hook

# A busy machine is slow, not wrong: neither an example nor the making of one is timed. `make test`
# tries the same examples each time, so that only a change breaks it; `make fuzz` draws new ones.
settings.register_profile(
    "noctule",
    deadline=None,
    derandomize=fuzzing.factor() == 1,
    max_examples=fuzzing.examples(100),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("noctule")
if fuzzing.factor() == 1:
    # Hypothesis also tries constants of the modules that are loaded: which those are depends on
    # the tests that ran before in the same process, and so would the examples.
    providers.is_local_module_file = lambda _path: False  # type: ignore[attr-defined, assignment]

# A job in the background of a script is started with SIGINT ignored, and so would be the processes
# that tests send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _scratch() -> Iterator[None]:
    """Databases that a test made in one line end with it."""
    yield
    close_scratch()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a real PostgreSQL, one for each test process."""
    with running_server() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of an empty database of the test's own."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def embedded_server() -> Iterator[SharedServer]:
    """A real llama.cpp with the packaged weights, one for each test process."""
    with running_embedded() as server:
        yield server
