from hypothesis import given, settings
from hypothesis import strategies as st

from noctule.models.tool_calls.thinking import ThoughtSplitter, split_thinking
from tests.support.fuzzing import examples

HARMONY = "<|channel|>analysis<|message|>PLAN<|end|><|start|>assistant"
APART = {
    "<think>PLAN</think>Answer": "Answer",
    "<think>\nPLAN\n</think>\n\nAnswer": "Answer",
    "PLAN\n</think>\n\nGood evening!": "Good evening!",
    "PLAN</think>391": "391",
    "</think>Hi": "Hi",
    "<think></think>\n\nHi": "Hi",
    "<think>PLAN that never ends": "",
    "  <thinking>PLAN</thinking> Hi": "Hi",
    "<thought>PLAN</thought>Hi": "Hi",
    "<reasoning>PLAN</reasoning>\nHi": "Hi",
    "<seed:think>PLAN</seed:think>Hi": "Hi",
    "[THINK]PLAN[/THINK]Hi": "Hi",
    "◁think▷PLAN◁/think▷Hi": "Hi",
    "<unused94>thought\nPLAN<unused95>Hi": "Hi",
    "<|START_THINKING|>PLAN<|END_THINKING|><|START_RESPONSE|>Hi<|END_RESPONSE|>": "Hi",
    "<|begin_of_thought|>PLAN<|end_of_thought|>\n<|begin_of_solution|>Hi<|end_of_solution|>": "Hi",
    f"{HARMONY}<|channel|>final<|message|>Hi<|return|>": "Hi",
    f"{HARMONY}<|channel|>commentary<|message|>Before.<|end|><|start|>assistant"
    "<|channel|>final<|message|>Hi": "Before.Hi",
    "analysisPLANassistantfinalHi": "Hi",
    "<|channel>thought\nPLAN\n<channel|>Hi": "Hi",
    "PLAN\n<channel|>Hi": "Hi",
    "<think>PLAN</think>Yes.\n<think>PLAN</think>No.": "Yes.\nNo.",
    "<mm:think>PLAN, and </think> or `</mm:think>` in the code</mm:think>Hi": "Hi",
    "<longcat_think>PLAN</longcat_think>Hi": "Hi",
    "<thinking>PLAN</mm:think>Hi": "Hi",
    "<think>PLAN with `</think>` in it</think>Hi": "Hi",
    "\ufeff<think>PLAN</think>Hi": "Hi",
    "\u200b\n<think>PLAN</think>Hi": "Hi",
    "PLAN. </think> Hi": "Hi",
    "PLAN </think>\n\nhi": "hi",
    "<think>PLAN</think>Hi<|im_end|>": "Hi",
    "Hi<|im_end|>\n": "Hi",
    "Hi<\uff5cend\u2581of\u2581sentence\uff5c>": "Hi",
    "Hi</s>": "Hi",
}
"""What servers leave in a reply, with what people may see of it."""

KEPT = (
    "Use `<think>` and `</think>` tags.",
    "Here:\n```\n<think>\na\n</think>\n```\nDone",
    "~~~xml\n<think>a</think>\n~~~",
    "The <think> tag opens and </think> closes.",
    'Split at "</think>" and "<think>".',
    's.split("</think>")',
    "    <think>indented code</think>",
    "- `<|channel|>analysis<|message|>` begins a thought",
    "a < b and c<d <b>x</b> [T] <|x|> List<int> x <",
    "think about it",
    "The tag </think> ends thinking.",
    "It prints </think> when thinking is off, then the answer.",
    "Fix in chat.py: split on </think>, take the last part.",
    "Here is the form:\n<reasoning>because</reasoning>\n<answer>4</answer>",
    "In XML:\n<thought>one</thought>\n<thought>two</thought>",
    "The word assistantfinal is what Harmony leaves.",
    "It stops at <|im_end|>",
    "It stops at `<|im_end|>`",
    "<s>the old price</s>",
    "",
)
"""Answers that speak of marks, or look like it."""


def shown(pieces: list[str], *, unseen: bool = False) -> str:
    """What a person sees in the end of a reply that comes in pieces."""
    splitter, seen = ThoughtSplitter(unseen=unseen), ""
    for piece in (*pieces, None):
        fresh = splitter.finish() if piece is None else splitter.feed(piece)
        seen = fresh if splitter.took_back else seen + fresh
        splitter.took_back = False
    assert seen == splitter.answer
    return seen


def cuts(text: str) -> list[list[str]]:
    """A text in two pieces at every place, in single characters, and whole."""
    halves = [[text[:at], text[at:]] for at in range(1, len(text))]
    return [*halves, list(text), [text]]


def test_thinking_is_told_apart_wherever_a_chunk_ends() -> None:
    """Nothing of the plan is in the answer, and nothing of the answer is lost."""
    wrong = {}
    for text, answer in APART.items():
        assert split_thinking(text)[0] == answer
        assert ("PLAN" in text) == ("PLAN" in split_thinking(text)[1])
        for pieces in cuts(text):
            for unseen in (False, True):
                if (seen := shown(pieces, unseen=unseen)) != answer:
                    wrong[text] = seen
    assert wrong == {}


def test_an_answer_that_speaks_of_marks_stays() -> None:
    """In code, in quotes and in the middle of a sentence they are words."""
    for text in KEPT:
        assert split_thinking(text) == (text, "")
        assert {shown(pieces) for pieces in cuts(text)} == {text}


def test_nothing_is_shown_of_thinking_that_was_opened() -> None:
    """Where the beginning is marked nothing ever has to be taken back."""
    for text in APART:
        if not text.startswith(("PLAN", "analysis")):
            splitter = ThoughtSplitter()
            assert "PLAN" not in "".join(map(splitter.feed, text))
            assert not splitter.took_back


def test_a_reply_known_to_begin_inside_is_shown_from_its_end_only() -> None:
    """Nothing is handed on early and nothing has to be taken back."""
    splitter = ThoughtSplitter(unseen=True)
    pieces = [splitter.feed(letter) for letter in "PLAN\n</think>\n\nGood evening!"]
    assert "".join(pieces) + splitter.finish() == "Good evening!"
    assert not splitter.took_back
    splitter = ThoughtSplitter(unseen=True)
    assert splitter.feed("Hello") == ""
    assert splitter.sees() + splitter.feed(" there") + splitter.finish() == "Hello there"


_WORDS = st.sampled_from(
    [
        *("<think>", "</think>", "`", "```", "\n", " ", "Q", "<", "[THINK]", "<|channel|>"),
        *("<channel|>", "</mm:think>", "<reasoning>", "<|im_end|>", "</s>", ". ", ", q"),
    ]
)


@settings(max_examples=examples(150))
@given(st.lists(_WORDS, max_size=12), st.randoms(use_true_random=False))
def test_pieces_make_no_difference(words: list[str], chance) -> None:
    """However a reply is cut, the same is shown in the end; nothing is lost."""
    text, pieces, at = "".join(words), [], 0
    while at < len(text):
        step = chance.randint(1, 6)
        pieces.append(text[at : at + step])
        at += step
    answer, thought = split_thinking(text)
    assert shown(pieces) == answer
    assert len(answer) + len(thought) >= text.count("Q")
