from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.binding.hints import for_refusal, look_at
from tests.support.stage import make_settings


def test_nobody_is_told_to_start_what_answers():
    """A server that failed itself, or broke off, is up; one that was not reached may be started."""
    settings = make_settings(endpoints={"here": {"kind": "ollama"}})
    down = Refusal(Outcome.UNAVAILABLE, "connection refused")
    assert "ollama serve" in for_refusal(settings, "first", down)
    for up in (
        Refusal(Outcome.UNAVAILABLE, "list index out of range", answered=True),
        Refusal(Outcome.UNAVAILABLE, "the stream broke off", torn=True),
    ):
        said = for_refusal(settings, "first", up)
        assert "ollama serve" not in said
        assert "endpoint here" in said
    assert "ollama serve" not in look_at(settings, "first")
