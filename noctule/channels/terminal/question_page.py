"""A question as lines for people: what is asked, which answers there are, how to give one."""

from collections.abc import Iterator

from noctule.core.sessions.choices import choices_of
from noctule.core.sessions.questions import Question, as_offered


def question_lines(question: Question) -> Iterator[str]:
    """Yield what is asked, and its choices by number."""
    yield from question.shown.splitlines()
    choices = choices_of(question)
    width = max((len(choice.value) for choice in choices), default=0)
    for number, choice in enumerate(choices, 1):
        says = "" if choice.text == choice.value else f"  {choice.text}"
        offered = as_offered(question.kind, choice.value)
        yield f"  {number}  {offered:{width}}{says}".rstrip()


def how_to_answer(question: Question) -> str:
    """Return the command that answers a question."""
    return f"Answer with `noctule sessions answer {question.id} ANSWER`."
