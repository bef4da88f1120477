import pytest

from noctule.models.wire.dialects import dialect_of

ON_AND_OFF = [
    ("https://api.openai.com/v1", "gpt-5-mini", "reasoning_effort", "medium", "minimal"),
    ("https://api.openai.com/v1", "gpt-5.1", "reasoning_effort", "medium", "none"),
    ("https://api.openai.com/v1", "o4-mini", "reasoning_effort", "medium", "low"),
    ("https://openrouter.ai/api/v1", "a/b", "reasoning", {"enabled": True}, {"enabled": False}),
    ("https://api.groq.com/openai/v1", "qwen/qwen3-32b", "reasoning_effort", "default", "none"),
    ("https://api.groq.com/openai/v1", "openai/gpt-oss-20b", "reasoning_effort", "medium", "low"),
    (
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-2.5-flash",
        "reasoning_effort",
        "medium",
        "none",
    ),
    (
        "https://api.deepseek.com",
        "deepseek-chat",
        "thinking",
        {"type": "enabled"},
        {"type": "disabled"},
    ),
    ("https://dashscope-intl.aliyuncs.com/x", "qwen3-max", "enable_thinking", True, False),
    ("http://10.0.0.5:8000/v1", "openai/gpt-oss-120b", "reasoning_effort", "medium", "low"),
    ("http://litellm.lan:4000", "gpt-5.1", "reasoning_effort", "medium", "none"),
    (
        "http://10.0.0.5:8000/v1",
        "Qwen/Qwen3-8B",
        "chat_template_kwargs",
        {"enable_thinking": True, "thinking": True},
        {"enable_thinking": False, "thinking": False},
    ),
]


@pytest.mark.parametrize(("url", "model", "field", "on", "off"), ON_AND_OFF)
def test_each_host_is_told_in_its_own_words(url, model, field, on, off):
    """Thinking on and off become the one field that the host reads."""
    dialect = dialect_of(url)
    assert dialect.thinking(model, True) == {field: on}
    assert dialect.thinking(model, False) == {field: off}


@pytest.mark.parametrize(
    ("url", "model"),
    [
        ("https://api.openai.com/v1", "gpt-4o"),
        ("https://api.openai.com/v1", "gpt-5-chat-latest"),
        ("https://api.mistral.ai/v1", "mistral-large-latest"),
        ("https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"),
    ],
)
@pytest.mark.parametrize("wanted", [True, False])
def test_models_without_a_choice_are_told_nothing(url, model, wanted):
    """An unknown field would be a 400."""
    assert dialect_of(url).thinking(model, wanted) == {}


def test_a_host_is_known_by_its_whole_name():
    """notopenai.com is not openai.com, and no URL is OpenAI's own."""
    assert dialect_of("https://notopenai.com/v1").name == "any"
    assert dialect_of("https://eu.api.openai.com/v1").name == "openai"
    assert dialect_of(None).name == "openai"
