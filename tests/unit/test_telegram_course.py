"""How far work has come, which model could step in, and the chart of what was spent."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from noctule.channels.telegram.views.charts import ChartDay, spend_chart
from noctule.channels.telegram.views.run_progress import RunProgress
from noctule.channels.telegram.views.run_view import edit_seconds, status_lines
from noctule.core.llm.events import Event, EventKind
from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.sessions.alternatives import alternative_model
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.parkings import Parking, ParkingKind
from tests.support.stage import make_settings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def course_of(*events: tuple[EventKind, dict[str, Any]]) -> RunProgress:
    course = RunProgress("t")
    for seq, (kind, data) in enumerate(events, 1):
        course.take(Event("s", seq, "t", kind, data, NOW + timedelta(seconds=seq)))
    return course


STARTED = (EventKind.TURN_STARTED, {"text": "Do it"})
ASKED = (
    EventKind.ATTEMPT_STARTED,
    {"attempt": "a", "role": "engineer", "model": "gemma", "purpose": "answer"},
)
ANSWERED = (
    EventKind.ATTEMPT_ENDED,
    {"attempt": "a", "outcome": "success", "purpose": "answer", "cost_usd": 0.25},
)


def test_a_status_says_who_does_what_how_far_and_for_how_much() -> None:
    """Each on its line."""
    course = course_of(
        STARTED,
        ASKED,
        ANSWERED,
        (EventKind.TOOL_STARTED, {"tool": "shell", "subject": "make\ntest"}),
    )
    lines = status_lines(course, title="Tests", budget_usd=Decimal(2), most_steps=200, elapsed_s=61)
    assert lines == [
        "⚙️ Tests",
        "running · engineer on gemma",
        "shell make test",
        "step 1 of at most 200 · $0.25 of $2.00 · 1 min",
    ]


def test_what_was_taken_back_is_no_partial_text() -> None:
    """The last that was kept is."""
    said = (EventKind.DELTA, {"attempt": "a", "text": "kept "})
    other = (EventKind.ATTEMPT_STARTED, {"attempt": "b", "role": "engineer", "model": "m"})
    gone = (EventKind.DELTA, {"attempt": "b", "text": "gone"})
    back = (EventKind.ATTEMPT_DISCARDED, {"attempt": "b", "reason": "torn"})
    routing = (EventKind.DELTA, {"attempt": "route", "text": "{}"})
    course = course_of(STARTED, ASKED, said, routing, said, other, gone)
    assert course.partial == "gone"
    course.take(Event("s", 99, "t", *back, NOW))
    assert course.partial == "kept kept"


def test_events_of_other_turns_change_nothing() -> None:
    """A session has several."""
    course = RunProgress("other")
    course.take(Event("s", 1, "t", *STARTED, NOW))
    assert course.status is Status.QUEUED


def test_an_unknown_cost_is_said_to_be_unknown() -> None:
    """It is not 0."""
    free = (EventKind.ATTEMPT_ENDED, {**ANSWERED[1], "cost_usd": None})
    lines = status_lines(
        course_of(STARTED, ASKED, free), title="T", budget_usd=None, most_steps=9, elapsed_s=None
    )
    assert lines[-1] == "step 1 of at most 9 · $0.00 plus unknown costs"


def refused(endpoint: str, model: str | None = None, by: str = "first") -> Parking:
    key = LimitKey(endpoint, "f", model)
    return Parking("p", "t", "s", ParkingKind.LIMIT, "no", NOW, NOW, key=key, model=by)


def stand_in(*parkings: Parking, private: bool = False, **changes: Any) -> str | None:
    limits = changes.pop("limits", ())
    return alternative_model(
        make_settings(**changes),
        role="engineer",
        refused=parkings,
        limits=limits,
        private=private,
        now=NOW,
    )


def test_the_understudy_is_the_next_of_the_role_that_is_not_refused() -> None:
    """Then any other; none that shares what is refused."""
    assert stand_in(refused("here", "first")) == "second"
    assert stand_in(refused("here", "first"), refused("cloud", by="second")) == "third"
    assert stand_in(refused("here"), refused("cloud", by="second")) is None


def test_a_private_turn_has_no_understudy_in_the_cloud() -> None:
    """Nor has one that no budget pays for."""
    assert stand_in(refused("here", "first"), private=True) == "third"
    assert stand_in(refused("budget:daily", by="second")) == "first"


def test_a_model_refused_elsewhere_or_without_tools_is_no_understudy() -> None:
    """It would only be refused once more."""
    limit = Limit(
        LimitKey("cloud", "f", None),
        Outcome.RATE_LIMITED,
        "no",
        NOW + timedelta(hours=1),
        None,
        NOW,
    )
    assert stand_in(refused("here", "first"), limits=[limit]) == "third"
    past = Limit(limit.key, limit.outcome, "no", NOW - timedelta(hours=1), None, NOW)
    assert stand_in(refused("here", "first"), limits=[past]) == "second"
    assert stand_in(refused("here", "first"), models={"second": {"tools": False}}) == "third"


@pytest.mark.parametrize("usd", ["0", "0.0004", "0.7", "12", "99999"])
def test_a_chart_is_a_picture_whatever_was_spent(usd: str) -> None:
    """With a bar for the one day that cost something."""
    days = [ChartDay(date(2026, 11, 1) + timedelta(days=n), {}) for n in range(13)]
    days.append(
        ChartDay(date(2026, 11, 14), {"engineer": Decimal(usd), "unheard of": Decimal(usd)})
    )
    with Image.open(BytesIO(spend_chart(days))) as picture:
        assert picture.format == "PNG"
        colours = {colour for _, colour in picture.getcolors(100_000) or ()}
    assert ((242, 142, 43) in colours) is (usd != "0")


def test_the_older_the_work_the_rarer_its_status_changes() -> None:
    """A night of work is no night of edits."""
    assert [edit_seconds(age) for age in (0, 119, 120, 899, 900, 1e6)] == [4, 4, 10, 10, 30, 30]
