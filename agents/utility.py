"""Utility: mechanical work on the cheapest model."""

from agents.agent import Agent
from noctule.core.base.roles import Role

UTILITY = Agent(
    role=Role.UTILITY,
    speciality="mechanical work on a given text: convert, reformat, shorten, sort, translate",
    part="Bring the result into the form that was asked for.",
    hands_over=False,
)
