"""Counting prompts: estimates, what is learned from reports, and what is not believed."""

import base64
import io
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from PIL import Image

from noctule.models.request.meter import FIRST_FACTOR, Meter
from noctule.models.request.token_estimate import estimate_tokens
from tests.support.fuzzing import examples

FIXTURE = Path(__file__).parents[1] / "fixtures" / "token_counts.json"
COUNTED = json.loads(FIXTURE.read_text(encoding="utf-8"))
"""Texts, and how many tokens they take of OpenAI's cl100k, Qwen, Mistral's tekken and SentencePiece
v3, in this order; counted 2026-11-29 with tiktoken 0.14 and sentencepiece 0.2.3."""


def test_a_first_estimate_is_above_every_tokenizer_looked_at_and_not_far():
    """Before anybody has counted for a model: never below, and no text is counted double."""
    wrong = []
    for text, *counts in COUNTED:
        estimate = estimate_tokens(text) * FIRST_FACTOR
        if estimate < max(counts):
            wrong.append(f"{estimate:.0f} for {max(counts)}: {text[:40]!r}")
        if estimate > 3 * max(counts):
            wrong.append(f"{estimate:.0f} for only {max(counts)}: {text[:40]!r}")
    assert wrong == []


def conversation(turns: int, text: str = "some words of a page; x = y[1]\n" * 20):
    messages = [SystemMessage("You work. " * 20), HumanMessage("Do it.")]
    for number in range(turns):
        call = {"name": "look", "args": {"where": str(number)}, "id": f"call{number}"}
        messages += [
            AIMessage("", tool_calls=[call]),
            ToolMessage(text, tool_call_id=f"call{number}"),
        ]
    return messages


TOOLS = [{"type": "function", "function": {"name": "look", "description": "Look. " * 30}}]


def true(messages, tools, rate):
    """Count at a provider's own rate, with a frame of its own."""
    texts = [m.text + json.dumps(getattr(m, "tool_calls", [])) for m in messages]
    return int((sum(map(len, texts)) / 3.7 + len(json.dumps(tools)) / 4 + 5 * len(messages)) * rate)


def test_from_the_third_call_on_an_estimate_is_at_most_fifteen_per_cent_above():
    """Of a conversation that grows, and of one whose middle is left out."""
    wrong = []
    for rate in (0.8, 1.0, 1.25):
        meter = Meter()
        for turns in range(1, 10):
            whole = conversation(turns)
            short = [*whole[:2], *whole[-2:]]
            for what, messages in (("whole", whole), ("short", short)):
                estimate, tokens = meter.count(messages, TOOLS), true(messages, TOOLS, rate)
                if turns >= 3 and not tokens <= estimate <= tokens * 1.15:
                    wrong.append(f"{rate}, {turns}, {what}: {estimate} for {tokens}")
            meter.learn(whole, TOOLS, true(whole, TOOLS, rate))
    assert wrong == []


def test_what_was_counted_costs_what_was_counted():
    """The same prompt again is exact; the next one is that and what was added."""
    meter = Meter()
    meter.learn(conversation(3), TOOLS, 1_234)
    assert meter.count(conversation(3), TOOLS) == 1_234
    more = meter.count(conversation(4), TOOLS) - 1_234
    assert 0 < more < 400
    assert meter.knows(conversation(3), TOOLS)
    assert not meter.knows(conversation(4), TOOLS)


def test_a_report_without_what_was_cached_is_not_believed():
    """Some servers count only what they had to read anew."""
    meter = Meter()
    fair = true(conversation(6), TOOLS, 1.0)
    meter.learn(conversation(6), TOOLS, fair)
    meter.learn(conversation(7), TOOLS, 90)
    assert meter.count(conversation(7), TOOLS) >= fair
    meter = Meter()
    meter.learn(conversation(6), TOOLS, 40)
    assert meter.count(conversation(6), TOOLS) >= fair


def test_an_overflow_raises_the_count_until_the_next_report():
    """What was thought to fit is counted higher, so that less is sent."""
    meter = Meter()
    meter.learn(conversation(3), TOOLS, true(conversation(3), TOOLS, 1.0))
    before = meter.count(conversation(4), TOOLS)
    meter.overflowed()
    assert meter.count(conversation(4), TOOLS) > before * 1.15


@pytest.mark.parametrize(
    ("size", "least", "most"), [((64, 64), 255, 300), ((1568, 1568), 2_900, 3_300)]
)
def test_a_picture_takes_what_its_size_says(size, least, most):
    """Between the least of any provider and the patches of the dearest."""
    out = io.BytesIO()
    Image.new("RGB", size).save(out, "JPEG")
    url = f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"
    block = {"type": "image_url", "image_url": {"url": url}}
    seen = HumanMessage([{"type": "text", "text": "What is it?"}, block])
    added = Meter().count([seen]) - Meter().count([HumanMessage("What is it?")])
    assert least * FIRST_FACTOR <= added + 1
    assert added <= most * FIRST_FACTOR


def test_a_picture_that_cannot_be_read_takes_the_most():
    """An address is fetched by the provider; nobody knows how large it is."""
    block = {"type": "image_url", "image_url": {"url": "https://example.org/cat.jpg"}}
    assert Meter().count([HumanMessage([block])]) > 3_000


@settings(max_examples=examples(60), derandomize=True, deadline=None)
@given(st.lists(st.text(max_size=80), max_size=12), st.integers(0, 3))
def test_counts_grow_with_the_conversation(texts, learned):
    """Whatever is said: a longer prompt never counts less, before and after a report."""
    messages = [HumanMessage(text) for text in texts]
    meter = Meter()
    if learned and messages:
        meter.learn(messages[:learned], (), 20 * learned + 30)
    counts = [meter.count(messages[:end]) for end in range(len(messages) + 1)]
    assert counts[learned + 1 :] == sorted(counts[learned + 1 :])
    assert all(count >= 0 for count in counts)
