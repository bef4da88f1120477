"""Presses: what each button does, by its verb."""

from collections.abc import Mapping

from noctule.channels.telegram.buttons import card_presses
from noctule.channels.telegram.buttons import run_presses as work_presses
from noctule.channels.telegram.commands import choosing, doubts, running, sessions, settings
from noctule.channels.telegram.handlers import beforehand
from noctule.channels.telegram.handlers.dispatcher import OnPress
from noctule.channels.telegram.views import cards, feedback, questions
from noctule.channels.telegram.views import run_view as work

PRESSES: Mapping[str, OnPress] = {
    feedback.GOOD: feedback.good,
    feedback.BAD: feedback.bad,
    feedback.AGAIN: feedback.again,
    feedback.ON: feedback.on,
    feedback.BACK: feedback.back,
    questions.APPROVES: questions.press,
    questions.ANSWERS: questions.press,
    cards.RESUME: card_presses.resume,
    cards.WAIT: card_presses.wait,
    cards.CANCEL: card_presses.cancel,
    cards.NOT_AT_NIGHT: card_presses.not_at_night,
    cards.RAISE: card_presses.raise_budget,
    sessions.SWITCH: sessions.switch,
    sessions.PAGE: sessions.page,
    choosing.CHOOSE: choosing.choose,
    doubts.MEANT: running.meant,
    settings.SET: settings.press,
    beforehand.ALLOW: beforehand.press,
    work.STOP: work_presses.stop,
    work.PARK: work_presses.park,
    work.LOG: work_presses.log,
}
"""What deals with each button."""

HEADS_ONLY: frozenset[str] = frozenset({questions.APPROVES, beforehand.ALLOW})
"""The verbs that only the owner of the data folder may press."""
