"""Engineer: writes, changes and explains code."""

from agents.agent import Agent
from noctule.core.base.roles import Role

ENGINEER = Agent(
    role=Role.ENGINEER,
    speciality="write, fix, review or explain code, commands and configuration",
    part="Write the code or commands it needs.",
    tools=("files", "shell", "python", "ask", "web"),
)
