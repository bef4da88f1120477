"""Routing without a model: what a message says plainly enough about who should answer it.

Rules speak only when they are sure. Two that disagree, or none, leave the decision to the
orchestrator's model.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from noctule.core.base.roles import ANSWERING, Role
from noctule.core.llm.routes import Complexity, DecidedBy, Route
from noctule.core.tools.outside_text import own_words

SURE = 0.75
"""The least confidence with which a rule decides."""

_LONG_MESSAGE_CHARS = 2000
_GREETING_MOST_WORDS = 6

_MENTION = re.compile(
    r"(?<![\w/.@])@(" + "|".join(role.value for role in ANSWERING) + r")\b", re.IGNORECASE
)
_COMMAND = re.compile(r"^/(" + "|".join(role.value for role in ANSWERING) + r")\b", re.IGNORECASE)

_GREETING = re.compile(
    r"^\W*(hi|hello|hey|hallo|moin|servus|guten (morgen|tag|abend)|good (morning|evening|day|night)"
    r"|bonjour|salut|hola|ciao|buongiorno|thanks?|thank you|danke|merci|gracias|bye|how are you"
    r"|wie geht'?s)\b",
    re.IGNORECASE,
)
_CODE_FENCE = re.compile(r"^\s*(```|~~~)", re.MULTILINE)
_CODE_FILE = re.compile(
    r"(?<![\w@])[\w./-]+\.(py|pyi|js|jsx|ts|tsx|rs|go|java|kt|c|h|cc|cpp|hpp|cs|rb|php|swift|sh|sql"
    r"|toml|ya?ml|dockerfile|gradle|lua|scala|vue)\b",
    re.IGNORECASE,
)
_CODE_WORK = re.compile(
    r"\b(write|create|implement|fix|debug|refactor|optimi[sz]e|test|review|schreib\w*|programmier\w*"
    r"|korrigier\w*)\b[^.?!\n]{0,60}\b(function|class|method|script|code|program|regex|query|unit"
    r" tests?|bug|api|endpoint|module|funktion|klasse|skript|programm|(in|with|using) (python|rust"
    r"|go|java|javascript|typescript|c\+\+|bash|sql))\b"
    r"|\b(traceback|stack ?trace|segfault|compiler error|syntax ?error"
    r"|(type|value|key|index)error)\b",
    re.IGNORECASE,
)
_CONVERSION = re.compile(
    r"^\W*(please |bitte )?(convert|reformat|format|shorten|condense|sort|deduplicate|translate"
    r"|transcribe|uppercase|lowercase|capitali[sz]e|turn (this|it|the following) into"
    r"|make (this|it) shorter|übersetze?|kürze?|wandle?|formatiere?|sortiere?)\b",
    re.IGNORECASE,
)
_RESEARCH = re.compile(
    r"^\W*(please |bitte )?(research|investigate|look up|find out|find (me )?(sources|studies"
    r"|information)|search for|compare|recherchiere?|finde heraus|suche nach|vergleiche?)\b",
    re.IGNORECASE,
)
_WRITING = re.compile(
    r"\b(write|draft|compose|schreib\w*|verfass\w*|entwirf)\b[^.?!\n]{0,40}\b(article|essay|blog"
    r" ?post|e-?mail|letter|story|poem|speech|report|press release|newsletter|toast|summary"
    r"|paragraph|artikel|aufsatz|brief|geschichte|gedicht|rede|bericht|text)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Sign:
    """One thing in a message that speaks for a role.

    Args:
        role: whom it speaks for.
        confidence: 0 to 1.
        reason: one clause for people.
        at: where in the message it stands, so that a plan keeps the person's order.
    """

    role: Role
    confidence: float
    reason: str
    at: int


def route_by_rules(text: str) -> Route | None:
    """Return the route a message makes plain; None when no rule is sure.

    Args:
        text: what the person wrote, unchanged.
    """
    mentioned = _mentions(own_words(text))  # nobody else chooses who answers
    if mentioned:
        names = ", ".join(role.value for role in mentioned)
        return _route(mentioned, text, f"addressed to {names}", 1.0)
    signs = sorted(_signs(text), key=lambda sign: sign.at)
    roles = tuple(dict.fromkeys(sign.role for sign in signs))
    if not signs:
        return None
    if len(roles) == 1:
        best = max(signs, key=lambda sign: sign.confidence)
        return (
            _route(roles, text, best.reason, best.confidence) if best.confidence >= SURE else None
        )
    if roles == (Role.RESEARCH, Role.WRITER):
        return _route(roles, text, "asks to find something out and to write it up", 0.85)
    return None


def _mentions(text: str) -> tuple[Role, ...]:
    command = _COMMAND.match(text)
    if command:
        return (Role(command[1].lower()),)
    return tuple(dict.fromkeys(Role(name.lower()) for name in _MENTION.findall(text)))


def _signs(text: str) -> Iterator[Sign]:
    if _GREETING.match(text) and len(text.split()) <= _GREETING_MOST_WORDS:
        yield Sign(Role.CHAT, 0.95, "a greeting", 0)
    if match := _CONVERSION.match(text):
        # The text to be worked on follows: what it speaks of decides nothing.
        yield Sign(Role.UTILITY, 0.85, f"asks to {match[0].strip().lower()}", 0)
        return
    for pattern, role, confidence, reason in (
        (_CODE_FENCE, Role.ENGINEER, 0.9, "contains a code block"),
        (_CODE_FILE, Role.ENGINEER, 0.8, "names a source file"),
        (_CODE_WORK, Role.ENGINEER, 0.9, "asks for work on code"),
        (_RESEARCH, Role.RESEARCH, 0.85, "asks to find something out"),
        (_WRITING, Role.WRITER, 0.85, "asks for a text"),
    ):
        if found := pattern.search(text):
            yield Sign(role, confidence, reason, found.start())


def _route(roles: tuple[Role, ...], text: str, reason: str, confidence: float) -> Route:
    demanding = len(roles) > 1 or len(text) > _LONG_MESSAGE_CHARS
    return Route(
        roles=roles,
        complexity=Complexity.COMPLEX if demanding else Complexity.SIMPLE,
        by=DecidedBy.RULE,
        reason=reason,
        confidence=confidence,
    )
