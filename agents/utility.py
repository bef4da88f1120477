"""Utility: mechanical work on the cheapest model."""

from agents.agent import Agent
from noctule.core.roles import Role

UTILITY = Agent(
    role=Role.UTILITY,
    speciality="mechanical work on a given text: convert, reformat, shorten, sort, translate",
    hands_over=False,
)
