"""Answers in which models wrote a tool call instead of making it, as recorded in the wild."""

from typing import Any

OFFERED: dict[str, dict[str, Any]] = {
    "get_weather": {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
        },
        "required": ["city"],
    },
    "read_file": {
        "type": "object",
        "properties": {"path": {"type": "string"}, "lines": {"type": "integer"}},
        "required": ["path"],
    },
}

CLEAR: dict[str, str] = {
    "bare": '{"name": "get_weather", "arguments": {"city": "Rome"}}',
    "bare on lines": '{\n  "name": "get_weather",\n  "arguments": {\n    "city": "Rome"\n  }\n}',
    "fenced (qwen)": '```json\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n```',
    "fence without a word": '```\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n```',
    "fenced as xml": '```xml\n<tools>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n'
    "</tools>\n```",
    "hermes": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>',
    "hermes without an end": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}',
    "hermes with a token": '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n'
    "</tool_call><|im_end|>",
    "tools": '<tools>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tools>',
    "llama parameters": '{"name": "get_weather", "parameters": {"city": "Rome"}}',
    "llama, type": '{"type": "function", "name": "get_weather", "parameters": {"city": "Rome"}}',
    "llama function": '<function=get_weather>{"city": "Rome"}</function>',
    "python tag": '<|python_tag|>{"name": "get_weather", "parameters": {"city": "Rome"}}<|eom_id|>',
    "mistral": '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Rome"}}]',
    "mistral, newer": '[TOOL_CALLS]get_weather[ARGS]{"city": "Rome"}',
    "granite": '<|tool_call|>[{"name": "get_weather", "arguments": {"city": "Rome"}}]',
    "openai's own": '{"type": "function", "function": {"name": "get_weather", "arguments": '
    '"{\\"city\\": \\"Rome\\"}"}}',
    "function for name": '{"function": "get_weather", "arguments": {"city": "Rome"}}',
    "in tool_calls": '{"tool_calls": [{"function": {"name": "get_weather", "arguments": '
    '{"city": "Rome"}}}]}',
    "tool and input": '{"tool": "get_weather", "tool_input": {"city": "Rome"}}',
    "action": '{"action": "get_weather", "action_input": {"city": "Rome"}}',
    "arguments first": '{"arguments": {"city": "Rome"}, "name": "get_weather"}',
    "keyed by the name": '{"get_weather": {"city": "Rome"}}',
    "list": '[{"name": "get_weather", "arguments": {"city": "Rome"}}]',
    "with spaces": '  \n {"name": "get_weather", "arguments": {"city": "Rome"}}\n\n',
    "deepseek": "<\uff5ctool\u2581calls\u2581begin\uff5c>"
    "<\uff5ctool\u2581call\u2581begin\uff5c>function<\uff5ctool\u2581sep\uff5c>"
    'get_weather\n```json\n{"city": "Rome"}\n```<\uff5ctool\u2581call\u2581end\uff5c>'
    "<\uff5ctool\u2581calls\u2581end\uff5c>",
    "harmony": "<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>"
    '{"city": "Rome"}<|call|>',
    "react": 'Action: get_weather\nAction Input: {"city": "Rome"}',
    "kimi": "<|tool_calls_section_begin|><|tool_call_begin|>functions.get_weather:0"
    '<|tool_call_argument_begin|>{"city": "Rome"}<|tool_call_end|><|tool_calls_section_end|>',
    "kimi without a section": "<|tool_call_begin|>functions.get_weather:0"
    '<|tool_call_argument_begin|>{"city": "Rome"}<|tool_call_end|>',
    "gemma 4": '<|tool_call>call:get_weather{city:<|"|>Rome<|"|>}<tool_call|>',
    "functiongemma": "<start_function_call>call:get_weather{city:<escape>Rome<escape>}"
    "<end_function_call>",
    "command r": '<|START_ACTION|>[\n {"tool_call_id": "0", "tool_name": "get_weather", '
    '"parameters": {"city": "Rome"}}\n]<|END_ACTION|>',
    "apertus": '<|tools_prefix|>[{"get_weather": {"city": "Rome"}}]<|tools_suffix|>',
    "internlm": '<|action_start|><|plugin|>\n{"name": "get_weather", "parameters": '
    '{"city": "Rome"}}<|action_end|>',
    "functionary": 'functools[{"name": "get_weather", "arguments": {"city": "Rome"}}]',
    "longcat": '<longcat_tool_call>{"name": "get_weather", "arguments": {"city": "Rome"}}'
    "</longcat_tool_call>",
    "lm studio": '[TOOL_REQUEST]{"name": "get_weather", "arguments": {"city": "Rome"}}'
    "[END_TOOL_REQUEST]",
    "tool_use element": "<tool_use>\n<name>get_weather</name>\n<arguments>"
    '{"city": "Rome"}</arguments>\n</tool_use>',
}
"""Nothing but JSON for ``get_weather`` with ``{"city": "Rome"}``, in some template's marks."""

UNCLEAR: dict[str, str] = {
    "words before": 'Sure, let me look:\n```json\n{"name": "get_weather", "arguments": '
    '{"city": "Rome"}}\n```',
    "words after": '{"name": "get_weather", "arguments": {"city": "Rome"}}\nThis shows weather.',
    "bare behind words": 'I will call it.\n{"name": "get_weather", "arguments": {"city": "Rome"}}',
    "words before a tag": 'Let me see. <tool_call>{"name": "get_weather", "arguments": '
    '{"city": "Rome"}}</tool_call>',
    "wrong enum": '{"name": "get_weather", "arguments": {"city": "Rome", "unit": "kelvin"}}',
    "missing argument": '{"name": "get_weather", "arguments": {}}',
    "unknown argument": '{"name": "get_weather", "arguments": {"city": "Rome", "when": "now"}}',
    "wrong type": '{"name": "read_file", "arguments": {"path": "a", "lines": "ten"}}',
    "cut off": '{"name": "get_weather", "arguments": {"city": "Ro',
    "not quite JSON": '{"name": "get_weather", "arguments": {"city": "Rome",}}',
    "braces doubled": '<tool_call>\n{{"name": "get_weather", "arguments": {"city": "Rome"}}}\n',
    "python": 'get_weather(city="Rome")',
    "python in a list (LFM2)": '<|tool_call_start|>[get_weather(city="Rome")]<|tool_call_end|>',
    "tool_code (Gemma)": '```tool_code\nprint(get_weather(city="Rome"))\n```',
    "python tag call": '<|python_tag|>get_weather.call(city="Rome")',
    "qwen3-coder": "<tool_call>\n<function=get_weather>\n<parameter=city>\nRome\n</parameter>\n"
    "</function>\n</tool_call>",
    "invoke": '<function_calls><invoke name="get_weather"><parameter name="city">Rome</parameter>'
    "</invoke></function_calls>",
    "dsml (deepseek)": "<\uff5cDSML\uff5cfunction_calls>\n"
    '<\uff5cDSML\uff5cinvoke name="get_weather">\n'
    '<\uff5cDSML\uff5cparameter name="city" string="true">Rome</\uff5cDSML\uff5cparameter>\n'
    "</\uff5cDSML\uff5cinvoke>\n</\uff5cDSML\uff5cfunction_calls>",
    "dsml, plain bars": '<|DSML|tool_calls><|DSML|invoke name="get_weather"><|DSML|parameter '
    'name="city" string="true">Rome</|DSML|parameter></|DSML|invoke></|DSML|tool_calls>',
    "dsml, spoilt": '<function>\n<name>get_weather</name>\n<parameter name="city" string="true">'
    "Rome</\uff5c\uff5cDSML\uff5c\uff5cparameter>\n</\uff5c\uff5cDSML\uff5c\uff5cinvoke>",
    "minimax": '<minimax:tool_call>\n<invoke name="get_weather">\n<parameter name="city">Rome'
    "</parameter>\n</invoke>\n</minimax:tool_call>",
    "glm": "<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Rome</arg_value>\n"
    "</tool_call>",
    "hunyuan": "<tool_calls>\n<tool_call>get_weather<tool_sep>\n<arg_key>city</arg_key>\n"
    "<arg_value>Rome</arg_value>\n</tool_call>\n</tool_calls>",
    "seed": "<seed:tool_call><function=get_weather><parameter=city>Rome</parameter></function>"
    "</seed:tool_call>",
    "step": "<\uff5ctool_calls_begin\uff5c><\uff5ctool_call_begin\uff5c>"
    "function<\uff5ctool_sep\uff5c>"
    '<steptml:invoke name="get_weather"><steptml:parameter name="city">Rome</steptml:parameter>'
    "</steptml:invoke><\uff5ctool_call_end\uff5c><\uff5ctool_calls_end\uff5c>",
    "grok": '<xai:function_call name="get_weather"><parameter name="city">Rome</parameter>'
    "</xai:function_call>",
    "a misspelt wrapper": '<tvoe_calls>\n<invoke name="get_weather">\n<parameter name="city">Rome'
    "</parameter>\n</invoke>\n</tvoe_calls>",
    "llama 4": '<|python_start|>[get_weather(city="Rome")]<|python_end|>',
    "cline": "<get_weather>\n<city>Rome</city>\n</get_weather>",
    "arguments as bad text": '{"name": "get_weather", "arguments": "city=Rome"}',
}
"""Calls all the same, but nobody should make them on the model's behalf."""

ANSWERS: dict[str, str] = {
    "prose": "The weather in Rome is fine.",
    "nothing": "",
    "JSON": '{"name": "Ada", "arguments": "many"}',
    "JSON of a tool nobody offered": '{"name": "delete_all", "arguments": {"path": "/"}}',
    "tag of another tool": '<tool_call>{"name": "delete_all", "arguments": {}}</tool_call>',
    "a name in prose": "I could use get_weather for that, or read_file.",
    "an illustration": 'A call looks like this:\n```json\n{"name": "get_weather", "arguments": '
    '{"city": "Rome"}}\n```\nThe model fills in the arguments, and the runtime makes the call.',
    "a page about marks": "Qwen writes this:\n```xml\n<tool_call>\n"
    '{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>\n```\n'
    "and the parser of the server makes the call of it.",
    "a mark in a sentence": 'It prints `<tool_call>{"name": "get_weather", "arguments": {}}'
    "</tool_call>` and stops.",
    "a report on DSML": 'The log has `<\uff5cDSML\uff5cinvoke name="get_weather">` in line 40.',
    "XML of one's own": "<report>\n<city>Rome</city>\n</report>",
    "code": '```python\nimport os\n\nprint(os.getcwd())\nprint(get_weather(city="Rome"))\n```',
    "data with a name": '{"name": "get_weather", "description": "Tells the weather.", "cost": 3}',
    "a list": "[1, 2, 3]",
    "a task list": "[ ] write\n[x] read",
    "html": "<p>get_weather</p>",
    "a table": "| a | b |\n|---|---|\n| get_weather | 1 |",
}
"""Answers for people."""
