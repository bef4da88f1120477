from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.reports.inventory import health_of
from tests.support.stored_records import an_attempt


def test_failures_count_back_to_the_last_sign_of_life():
    """Only being down or slow counts; a refusal is a sign of life, a cancelled call is none."""
    down = an_attempt(outcome=Outcome.UNAVAILABLE)
    slow = an_attempt(outcome=Outcome.TIMEOUT)
    cancelled = an_attempt(outcome=Outcome.CANCELLED)
    refused = an_attempt(outcome=Outcome.RATE_LIMITED)
    assert health_of([down, cancelled, slow, refused, down]).failures == 2
    assert health_of([refused, down]).failures == 0
    assert (health_of([]).failures, health_of([]).last) == (0, None)
