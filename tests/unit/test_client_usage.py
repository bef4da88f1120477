from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.llm.attempts import Usage
from noctule.models.clients.openai.catalogue import present_models
from noctule.models.clients.openai.stream import StreamTail
from noctule.models.wire.finish import finish_reason
from noctule.models.wire.usage import anthropic_usage, ollama_usage, openai_usage


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, Usage()),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage()),
        ({"prompt_tokens": 9, "completion_tokens": 0}, Usage(9, 0)),
        (
            {"prompt_tokens": 9, "completion_tokens": 2, "prompt_cache_hit_tokens": 4},
            Usage(9, 2, cached_tokens=4),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 8,
                "prompt_tokens_details": {"cached_tokens": 5, "cache_write_tokens": 3},
                "completion_tokens_details": {"reasoning_tokens": 6},
                "cost": 0.5,
            },
            Usage(9, 8, 5, 3, 6, Decimal("0.5")),
        ),
        (
            {
                "prompt_tokens": 9,
                "completion_tokens": 1,
                "cost": 0.01,
                "is_byok": True,
                "cost_details": {"upstream_inference_cost": 0.2},
            },
            Usage(9, 1, reported_usd=Decimal("0.21")),
        ),
        ({"prompt_tokens": 9, "completion_tokens": 1, "cost": "free?"}, Usage(9, 1)),
        ({"prompt_tokens": "9", "completion_tokens": True, "cost": -1}, Usage()),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, Usage(9)),
    ],
)
def test_chat_completions_usage_in_its_variants(raw, expected):
    """What is said is read; what is not said, or makes no sense, is unknown."""
    assert openai_usage(raw) == expected


def test_anthropics_input_includes_its_cache():
    """Fresh, read and written tokens are reported apart and are one prompt."""
    report = {
        "input_tokens": 10,
        "cache_read_input_tokens": 60,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    assert anthropic_usage([report]) == Usage(100, 5, 60, 30, 2)


def test_anthropics_later_reports_replace_and_do_not_add():
    """Cumulative counts; what a later report leaves out stays as it was."""
    reports = [
        {"input_tokens": 10, "output_tokens": 1},
        {"input_tokens": None, "output_tokens": 4},
        {"output_tokens": 9},
    ]
    assert anthropic_usage(reports) == Usage(10, 9)
    assert anthropic_usage([]) == Usage()


def test_ollamas_counters():
    """A prompt of which nothing was counted is unknown."""
    assert ollama_usage({"prompt_eval_count": 12, "eval_count": 3}) == Usage(12, 3)
    assert ollama_usage({"eval_count": 3}) == Usage(None, 3)


@given(st.dictionaries(st.sampled_from(["prompt_tokens", "cost", "usage"]), st.none() | st.text()))
def test_nonsense_is_no_usage_and_no_error(raw):
    """A body of any shape gives at most what can be read as a cost."""
    usage = openai_usage(raw)
    assert usage.input_tokens is None
    assert usage.reported_usd is None or usage.reported_usd >= 0


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("stop", "stop"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("max_tokens", "length"),
        ("MAX_TOKENS", "length"),
        ("tool_use", "tool_calls"),
        ("function_call", "tool_calls"),
        ("refusal", "content_filter"),
        ("SAFETY", "content_filter"),
        ("pause_turn", "pause_turn"),
        ("", None),
        (None, None),
    ],
)
def test_finish_reasons_in_openais_words(said, expected):
    """Known words are translated, unknown ones kept, and silence is None."""
    assert finish_reason(said) == expected


def test_lists_of_models_in_their_variants():
    """Context and capabilities where a host says them; None where it does not."""
    listed = {
        "data": [
            {"id": "plain"},
            {"id": "vllm", "max_model_len": 32768},
            {"id": "llama.cpp", "meta": {"n_ctx": 4096, "n_ctx_train": 131072}},
            {
                "id": "router",
                "context_length": 200000,
                "supported_parameters": ["tools", "reasoning"],
                "architecture": {"input_modalities": ["text", "image"]},
            },
            {"object": "nameless"},
        ]
    }
    found = {model.name: model for model in present_models(listed)}
    assert list(found) == ["plain", "vllm", "llama.cpp", "router"]
    assert (found["plain"].context, found["plain"].capabilities) == (None, None)
    assert found["vllm"].context == 32768
    assert (found["llama.cpp"].context, found["llama.cpp"].loaded_context) == (131072, 4096)
    assert found["router"].capabilities == {"tools", "thinking", "vision"}
    assert present_models("nonsense") == []


BESIDE: dict[str, Any] = {
    "xAI: reasoning beside, in the total": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 10,
            "total_tokens": 6010,
            "completion_tokens_details": {"reasoning_tokens": 5000},
        },
        (1000, 5010),
    ),
    "Gemini: the total alone tells": (
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 6010},
        (1000, 5010),
    ),
    "OpenAI: reasoning within": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 5010,
            "total_tokens": 6010,
            "completion_tokens_details": {"reasoning_tokens": 5000},
        },
        (1000, 5010),
    ),
    "no total, more reasoning than answer": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 10,
            "completion_tokens_details": {"reasoning_tokens": 5000},
        },
        (1000, 5010),
    ),
    "Gemini's own names": (
        {"promptTokenCount": 1000, "candidatesTokenCount": 10, "totalTokenCount": 6010},
        (1000, 5010),
    ),
    "cached beside the prompt, in the total": (
        {
            "prompt_tokens": 100,
            "completion_tokens": 10,
            "total_tokens": 1010,
            "cache_read_input_tokens": 900,
        },
        (1000, 10),
    ),
    "cached within the prompt": (
        {
            "prompt_tokens": 1000,
            "completion_tokens": 10,
            "total_tokens": 1010,
            "prompt_tokens_details": {"cached_tokens": 900},
        },
        (1000, 10),
    ),
    "more cached than sent": (
        {"prompt_tokens": 100, "completion_tokens": 10, "cached_tokens": 900},
        (1000, 10),
    ),
    "a total that is too small": (
        {"prompt_tokens": 1000, "completion_tokens": 10, "total_tokens": 5},
        (1000, 10),
    ),
    "counts as floats": (
        {"prompt_tokens": 1000.0, "completion_tokens": 10.0},
        (1000, 10),
    ),
    "counts nobody can have": ({"prompt_tokens": 10**18, "completion_tokens": -1}, (None, None)),
}


def test_what_stands_beside_is_counted_and_nothing_twice():
    """Thinking beside the answer is output, a cached part beside the prompt is input."""
    found = {name: openai_usage(raw) for name, (raw, _) in BESIDE.items()}
    counts = {name: (usage.input_tokens, usage.output_tokens) for name, usage in found.items()}
    assert counts == {name: wanted for name, (_, wanted) in BESIDE.items()}


REPORTS = {
    "the end says 0 (Envoy #1631)": (
        {"input_tokens": 9, "cache_read_input_tokens": 17_102, "output_tokens": 1},
        {"input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 20},
    ),
    "the whole first, its parts at the end (Bifrost #6598)": (
        {"input_tokens": 17_111, "output_tokens": 1},
        {"input_tokens": 9, "cache_read_input_tokens": 17_102, "output_tokens": 20},
    ),
    "its parts first, the whole at the end": (
        {"input_tokens": 9, "cache_read_input_tokens": 17_102, "output_tokens": 1},
        {"input_tokens": 17_111, "output_tokens": 20},
    ),
    "the fresh part again": (
        {"input_tokens": 9, "cache_read_input_tokens": 17_102, "output_tokens": 1},
        {"input_tokens": 9, "output_tokens": 20},
    ),
    "0 first, all at the end (SGLang #20678)": (
        {"input_tokens": 0, "output_tokens": 0},
        {"input_tokens": 9, "cache_read_input_tokens": 17_102, "output_tokens": 20},
    ),
}
"""One prompt of 17,111 tokens, 17,102 of them from the cache, in two reports of a stream."""


def test_anthropics_reports_are_one_prompt_whatever_a_server_repeats():
    """Nothing is counted twice, and nothing is lost to a 0."""
    read = {name: anthropic_usage(reports) for name, reports in REPORTS.items()}
    assert read == dict.fromkeys(REPORTS, Usage(17_111, 20, cached_tokens=17_102))


def test_a_cost_that_nobody_knows_is_not_zero():
    """OpenRouter's fee without what the upstream took; null where a header gives the cost."""
    counts = {"prompt_tokens": 9, "completion_tokens": 1}
    own_key = {**counts, "cost": 0, "is_byok": True, "cost_details": {}}
    assert openai_usage(own_key).reported_usd is None
    assert openai_usage({**counts, "cost": 0}).reported_usd == 0
    assert openai_usage({**counts, "cost": None}, header_usd="0.5").reported_usd == Decimal("0.5")


def test_a_total_settles_only_what_it_can_mean():
    """Thinking explains what is left before the cache does; a sum over sessions is no answer."""
    thinking = {
        "prompt_tokens": 100,
        "completion_tokens": 5,
        "total_tokens": 165,
        "prompt_tokens_details": {"cached_tokens": 60},
        "completion_tokens_details": {"reasoning_tokens": 60},
    }
    assert openai_usage(thinking) == Usage(100, 65, 60, None, 60)
    summed = {"prompt_tokens": 100, "completion_tokens": 5, "total_tokens": 99_999_999}
    assert openai_usage(summed) == Usage(100, 5)


def test_details_under_the_names_of_responses():
    """A gateway that hands on the Responses API's names tells the cached part as well."""
    raw = {
        "input_tokens": 10,
        "output_tokens": 5,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens_details": {"reasoning_tokens": 3},
    }
    assert openai_usage(raw) == Usage(10, 5, 4, None, 3)


def test_a_last_report_of_zeros_takes_nothing_back():
    """Some servers send the counts with the last words and zeros behind them."""
    tail = StreamTail()
    tail.take({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 1}})
    tail.take({"choices": [], "usage": {"prompt_tokens": 0, "completion_tokens": 0}})
    assert tail.usage_metadata == {"input_tokens": 5, "output_tokens": 1, "total_tokens": 6}
