"""The marks that models put around written calls, brought to the few that are read.

Templates differ in words, hardly in kind: a name with JSON, or a name with parameters as elements.
So each family's marks are replaced by the plainest of their kind before anything is read:
``<function=NAME>JSON</function>``, ``<invoke name="NAME">`` with ``<parameter name="KEY">``, or
JSON in ``<tool_call>``. Families: DeepSeek's DSML, MiniMax, Seed, LongCat, Step, Grok (prefixes);
GLM and Hunyuan (``<arg_key>``); Kimi K2; Gemma 4 and FunctionGemma; Command R, Apertus, InternLM,
Llama 4, LM Studio, Functionary (frames around JSON); elements with a ``<name>``. Seen in the
templates and parsers of vLLM, SGLang and llama.cpp and in issue threads of agents, checked 2026-11.
"""

import json
import re

OPENINGS = (
    "<|DSML|",
    "<||DSML||",
    "<\uff5c",
    "<minimax:tool_call>",
    "<seed:tool_call>",
    "<longcat_tool_call>",
    "<steptml:invoke",
    "<xai:function_call",
    "<tvoe_calls>",
    "<|tool_call_begin|>",
    "<|tool_call>",
    "<start_function_call>",
    "functools[",
    "<|START_ACTION|>",
    "<|tools_prefix|>",
    "<|action_start|>",
    "<|python_start|>",
    "[TOOL_REQUEST]",
    "<tool_request>",
    "<tool_use>",
    "<function>",
)
"""How an answer begins that is a call in one of these families."""

_MARK = re.compile(r"<|\[TOOL_REQUEST\]|functools\[")
_NAME = r"([\w.\-]{1,100})"
_PREFIX = re.compile(
    r"<(/?)(?:[|\uff5c]{1,2}DSML[|\uff5c]{1,2}|[a-z]{2,12}[:_])"
    r"(?=(?:tool_calls?|function_calls?|invoke|parameter|arg_key|arg_value)\b)",
    re.IGNORECASE,
)
_ARGUMENT = re.compile(
    rf"<arg_key>\s*{_NAME}\s*</arg_key>\s*<arg_value>(.*?)(?:</arg_value>|(?=</?tool_call>)|\Z)",
    re.DOTALL,
)
_KIMI = re.compile(
    rf"<\|tool_call_begin\|>\s*(?:functions\.)?{_NAME}?(?::\d+)?\s*<\|tool_call_argument_begin\|>"
    r"(.*?)(?:<\|tool_call_end\|>|\Z)",
    re.DOTALL,
)
_GEMMA = re.compile(
    rf"(?:<\|tool_call>|<start_function_call>)\s*call:{_NAME}(\{{.*?)"
    r"(?:<tool_call\|>|<end_function_call>|\Z)",
    re.DOTALL,
)
_GEMMA_STRING = re.compile(r'<\|"\|>(.*?)<\|"\|>|<escape>(.*?)<escape>', re.DOTALL)
_BARE_KEY = re.compile(r"(?<=[{,])\s*([A-Za-z_][\w\-]*)\s*:")
_FRAMES = (
    (
        re.compile(
            r"<\|START_ACTION\|>|<\|tools_prefix\|>|<\|action_start\|>\s*(?:<\|\w+\|>)?"
            r"|<\|python_start\|>|\[TOOL_REQUEST\]|<tool_request>|<tvoe_calls>|\Afunctools(?=\[)"
        ),
        "<tool_call>",
    ),
    (
        re.compile(
            r"<\|END_ACTION\|>|<\|tools_suffix\|>|<\|action_end\|>|<\|python_end\|>"
            r"|\[END_TOOL_REQUEST\]|</tool_request>|</tvoe_calls>"
        ),
        "</tool_call>",
    ),
    (re.compile(r"<\|tool_calls_section_(?:begin|end)\|>"), ""),
    (re.compile(r"<\uff5ctool_calls?_(?:begin|end)\uff5c>(?:function<\uff5ctool_sep\uff5c>)?"), ""),
)
_ELEMENTS = (
    (
        re.compile(
            rf"<tool_use>\s*<name>\s*{_NAME}\s*</name>\s*<arguments>(.*?)</arguments>\s*</tool_use>",
            re.DOTALL,
        ),
        r"<function=\1>\2</function>",
    ),
    (re.compile(rf"<(?:function|invoke)>\s*<name>\s*{_NAME}\s*</name>"), r'<invoke name="\1">'),
    (re.compile(rf"<function_call\s+name=\"{_NAME}\">"), r'<invoke name="\1">'),
    (
        re.compile(rf"<tool_call>\s*{_NAME}\s*(?:<tool_sep>)?\s*(?=<parameter|</tool_call>)"),
        r'<invoke name="\1">',
    ),
)


def common(text: str) -> str:
    """Return a text with the marks of all families replaced by those that are read."""
    if not _MARK.search(text):
        return text
    text = _GEMMA.sub(_gemma_call, text)
    text = _PREFIX.sub(r"<\1", text)
    text = _ARGUMENT.sub(r'<parameter name="\1">\2</parameter>', text)
    if "<|tool_call_begin|>" in text:
        text = _KIMI.sub(r"<function=\1>\2</function>", text)
    for pattern, mark in (*_FRAMES, *_ELEMENTS):
        text = pattern.sub(mark, text)
    return text


def _gemma_call(match: re.Match[str]) -> str:
    """Write Gemma's arguments as JSON: ``{city:<|"|>Rome<|"|>,days:3}``."""
    pieces, at, body = [], 0, match[2]
    for string in _GEMMA_STRING.finditer(body):
        pieces += [_BARE_KEY.sub(r'"\1":', body[at : string.start()])]
        pieces += [json.dumps(string[1] if string[1] is not None else string[2])]
        at = string.end()
    pieces.append(_BARE_KEY.sub(r'"\1":', body[at:]))
    return f"<function={match[1]}>{''.join(pieces)}</function>"
