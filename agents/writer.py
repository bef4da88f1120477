"""Writer: texts for people."""

from agents.agent import Agent
from noctule.core.base.roles import Role

WRITER = Agent(
    role=Role.WRITER,
    speciality="write texts for people: articles, letters, stories, reports, speeches",
    part="Write the text that was asked for, using what was found.",
    tools=("files", "notes", "web", "ask"),
)
