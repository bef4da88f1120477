"""Chat: whom the person talks to."""

from agents.agent import Agent
from noctule.core.base.roles import Role

CHAT = Agent(
    role=Role.CHAT,
    speciality="small talk, simple questions, what is going on in the person's sessions",
    part="Answer it in a few sentences.",
    tools=("ask", "sessions", "notes", "web"),
)
