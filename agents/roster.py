"""Everybody who can answer, by role."""

from collections.abc import Mapping

from agents.agent import Agent
from agents.chat import CHAT
from agents.engineer import ENGINEER
from agents.research import RESEARCH
from agents.utility import UTILITY
from agents.writer import WRITER
from noctule.core.base.roles import Role

ROSTER: Mapping[Role, Agent] = {
    agent.role: agent for agent in (CHAT, ENGINEER, RESEARCH, WRITER, UTILITY)
}
