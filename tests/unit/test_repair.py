from langchain_core.messages import AIMessage, HumanMessage

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.models.base.client import ModelRequest
from noctule.models.tool_calls.tool_call_repair import repair
from tests.support.imitations import CLEAR, OFFERED, UNCLEAR

NAMES = frozenset(OFFERED)
TOOLS = [{"name": name, "parameters": schema} for name, schema in OFFERED.items()]
UNKNOWN = {
    "hermes": '<tool_call>\n{"name": "search_web", "arguments": {"q": "x"}}\n</tool_call>',
    "qwen3-coder": "<tool_call>\n<function=search_web>\n<parameter=q>\nx\n</parameter>\n"
    "</function>\n</tool_call>",
    "llama": '<function=search_web>{"q": "x"}</function>',
    "mistral": '[TOOL_CALLS] [{"name": "search_web", "arguments": {"q": "x"}}]',
    "mistral, newer": '[TOOL_CALLS]search_web[ARGS]{"q": "x"}',
    "python tag": '<|python_tag|>{"name": "search_web", "parameters": {"q": "x"}}',
    "harmony": "<|channel|>commentary to=functions.search_web <|constrain|>json<|message|>"
    '{"q": "x"}<|call|>',
    "bare": '{"name": "search_web", "arguments": {"q": "x"}}',
}
ANSWERS = {
    "an example in a fence": "A tool call looks like this:\n```json\n"
    '{"type": "function", "function": {"name": "get_time", "arguments": "{}"}}\n```',
    "a fence alone": '```json\n{"name": "get_time", "arguments": {"city": "Rome"}}\n```',
    "an example of a tool that is known": "For example, the format is:\n```json\n"
    '{"name": "get_weather", "arguments": {"city": "Rome"}}\n```',
    "a record": '{"name": "Anna", "age": 7}',
    "a package": '{"name": "app", "version": "1.0", "scripts": {}}',
    "prose": "I would call get_weather for Rome.",
    "code": "```python\nprint(get_weather('Rome'))\nx = 1\n```",
    "html": "<tools>\n  <hammer/>\n</tools>",
}


def fate(text: str, *, offered: bool, asked: str = "Go on") -> str:
    request = ModelRequest("m", [HumanMessage(asked)], tools=TOOLS if offered else [])
    found = repair(request, AIMessage(text), NAMES)
    if isinstance(found, Refusal):
        assert found.outcome is Outcome.MALFORMED_TOOL_CALL
        return "refused"
    return "answer" if found is None else "made"


def test_a_written_call_is_never_an_answer_whatever_is_offered() -> None:
    """Made where it is clear and the tool is offered, else refused; never shown."""
    assert {n: fate(t, offered=True) for n, t in CLEAR.items()} == dict.fromkeys(CLEAR, "made")
    for samples in (CLEAR, UNCLEAR):
        found = {name: fate(text, offered=False) for name, text in samples.items()}
        assert found == dict.fromkeys(samples, "refused")


def test_a_call_of_a_tool_that_nobody_has_is_no_answer() -> None:
    """A template's marks, or nothing but the call, leave no other meaning."""
    for offered in (True, False):
        found = {name: fate(text, offered=offered) for name, text in UNKNOWN.items()}
        assert found == dict.fromkeys(UNKNOWN, "refused")


def test_an_honest_example_is_an_answer() -> None:
    """Shown in a fence, introduced as an example, or asked for."""
    for offered in (True, False):
        found = {name: fate(text, offered=offered) for name, text in ANSWERS.items()}
        assert found == dict.fromkeys(ANSWERS, "answer")
    asked = "Show me an example of an OpenAI tool call"
    samples = {**CLEAR, **UNKNOWN, **ANSWERS}
    found = {name: fate(text, offered=True, asked=asked) for name, text in samples.items()}
    assert found == dict.fromkeys(samples, "answer")
