"""Presses: what each button does, by its verb."""

from collections.abc import Mapping

from noctule.channels.telegram import feedback, questions
from noctule.channels.telegram.reception import OnPress

PRESSES: Mapping[str, OnPress] = {
    feedback.GOOD: feedback.good,
    feedback.BAD: feedback.bad,
    feedback.AGAIN: feedback.again,
    feedback.ON: feedback.on,
    feedback.BACK: feedback.back,
    questions.APPROVES: questions.press,
    questions.ANSWERS: questions.press,
}
"""What deals with each button."""

HEADS_ONLY: frozenset[str] = frozenset({questions.APPROVES})
"""The verbs that only the owner of the data folder may press."""
