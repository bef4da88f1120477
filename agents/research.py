"""Research: finds things out and says how sure it is."""

from agents.agent import Agent
from noctule.core.base.roles import Role

RESEARCH = Agent(
    role=Role.RESEARCH,
    speciality="find facts, compare options, gather sources, answer questions that need looking up",
    part="Gather the facts it needs, as a short list. Do not write it up.",
    tools=("web", "files", "notes", "ask"),
)
