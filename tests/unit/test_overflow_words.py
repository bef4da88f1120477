import json
from datetime import UTC, datetime

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.parse import read_refusal
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.refusals import Refusal

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)

TOO_LARGE = [
    # what a server says, and the window it names
    (
        (
            "The number of tokens to keep from the initial prompt is greater than the context "
            "length (n_keep: 12098>= n_ctx: 4096). Try to load the model with a larger context "
            "length, or provide a shorter input."
        ),
        4096,
    ),
    (
        (
            "Trying to keep the first 15857 tokens when context the overflows. However, the model "
            "is loaded with context length of only 4096 tokens, which is not enough."
        ),
        4096,
    ),
    (
        "The input (40961 tokens) is longer than the model's context length (32768 tokens).",
        32768,
    ),
    ("Invalid request: Your request exceeded model token limit: 131072", 131072),
    ("prompt token count of 200000 exceeds the limit of 128000", 128000),
    ("Prompt has 300,000 tokens, but the configured context size is 131,072 tokens", 131072),
    ("prompt too long; exceeded max context length by 4096 tokens", None),
    ("Input is too long for requested model.", None),
    ("Your input exceeds the context window of this model.", None),
    ("invalid params, context window exceeds limit (2013)", None),
    ("Context size has been exceeded.", None),
    ("Requested tokens (9000) exceed context window of 8192", 8192),
    ("Prompt is longer than the max context (8192)", 8192),
    ("Prompt exceeds max context of 4096", 4096),
    ("input tokens + max_tokens exceeds model max context 16384", 16384),
    ("tokens exceed max context length: 8192", 8192),
    ("Input length exceeds the limit 28000", 28000),
    ("Input is too long for requested model. Max input tokens 300000", 300000),
    ("The prompt size exceeds the context window size and cannot be processed.", None),
    ("InternalError.Algo.InvalidParameter: Total message token length exceed model limit", None),
    ("Number of input tokens exceeds maximum length. Please update the input to try again.", None),
    ("Extra usage is required for long context requests.", None),
    ("Prompt 超长", None),
    ("输入长度超过模型上限", None),
]
NOT_TOO_LARGE = [
    (429, "Too many tokens, please wait before trying again."),
    (429, "Tokens per minute limit exceeded - too many tokens processed."),
    (400, "max_tokens is too large: 9000. This model supports at most 4096 completion tokens"),
    (400, "max_tokens exceeds the limit of 8192"),
    (400, "InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]"),
    (400, "Unknown parameter: 'context_window'."),
]


def refusal_of(status: int, message: str, **error: object) -> Refusal:
    body = json.dumps({"error": {"message": message, **error}})
    return read_refusal(ProviderResponse(status, body=body), now=NOW)


def test_a_request_too_large_is_recognised_in_every_wording_with_the_window_it_names():
    """Each server has its own words, and many name the window they were loaded with."""
    wrong = []
    for words, window in TOO_LARGE:
        refusal = refusal_of(400, words)
        seen = (refusal.outcome, refusal.context_tokens)
        if seen != (Outcome.CONTEXT_OVERFLOW, window):
            wrong.append((words, seen))
    assert wrong == []


def test_words_about_other_limits_of_tokens_are_no_overflow():
    """Tokens a minute pass by themselves, and too many for the answer is another mistake."""
    wrong = [
        (words, refusal)
        for status, words in NOT_TOO_LARGE
        if (refusal := refusal_of(status, words)).outcome is Outcome.CONTEXT_OVERFLOW
    ]
    assert wrong == []


def test_a_window_is_also_read_from_the_body_s_fields():
    """llama.cpp gives the number beside the sentence; a limit per minute is no window."""
    told = refusal_of(400, "too large", type="exceed_context_size_error", n_ctx=4096)
    assert (told.outcome, told.context_tokens) == (Outcome.CONTEXT_OVERFLOW, 4096)
    minute = refusal_of(429, "Request too large for gpt-5 on tokens per min (TPM): Limit 10000")
    assert (minute.outcome, minute.context_tokens) == (Outcome.CONTEXT_OVERFLOW, None)


def test_too_dear_for_the_money_left_is_a_request_too_large_and_no_dead_key():
    """OpenRouter says what answer the credits would pay for; the key answers cheaper requests."""
    refusal = refusal_of(
        402,
        "This request requires more credits, or fewer max_tokens. You requested up to 32000 "
        "tokens, but can only afford 2133. To increase, visit the settings and upgrade to a paid "
        "account",
        code=402,
        metadata={"provider_name": None},
    )
    assert refusal.outcome is Outcome.CONTEXT_OVERFLOW
    assert (refusal.unaffordable, refusal.affordable_tokens) == (True, 2133)
    assert not refusal.account_wide
    assert not refusal.needs_person
    assert refusal.context_tokens is None
