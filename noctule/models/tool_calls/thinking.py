"""Thinking that stands in a reply's text, told apart from the answer, in whole and as it comes.

Servers that do not know a model's marks pass its thinking on as text. Marks of DeepSeek, Qwen, GLM,
MiniMax and their kin (``<think>``), Seed (``<seed:think>``), LongCat (``<longcat_think>``), MiniMax
M3 (``<mm:think>``), Magistral (``[THINK]``), Kimi (``◁think▷``), Cohere, Sky-T1, Apertus, gpt-oss
(Harmony's channels) and Gemma 4 (``<|channel>``); seen in templates, in the parsers of vLLM, SGLang
and llama.cpp, and in their issue threads, 2026-11.

Many templates write the opening mark into the prompt, so that a reply begins inside the thinking
and only its end is marked. What stands in code (fences, backticks, four spaces) or in the middle of
a sentence is an answer that speaks of marks, and stays.
"""

import re
import string

_TAGS = "think|thinking|thought|thoughts|reasoning|seed:think|mm:think|longcat_think|antthinking"
_WORDS_TOO = frozenset({"<thought>", "<thoughts>", "<reasoning>"})
"""Names that answers in XML use as well: they open thinking only where a reply begins."""

_PAIRS = (
    (rf"<(?:{_TAGS})>", rf"</(?:{_TAGS})>"),
    (r"\[THINK\]", r"\[/THINK\]"),
    (r"◁think▷", r"◁/think▷"),
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>"),
    (r"<\|think\|>", r"<\|/think\|>"),
    (r"<unused94>(?:thought)?", r"<unused95>"),
    (r"<\|channel>(?:thought|analysis)?", r"<channel\|>"),
    (
        r"(?:<\|start\|>assistant)?<\|channel\|>analysis<\|message\|>",
        r"<\|end\|>|(?=<\|start\|>)|(?=<\|channel\|>)",
    ),
)
_OPENING = re.compile("|".join(f"(?P<o{n}>{o})" for n, (o, _) in enumerate(_PAIRS)), re.IGNORECASE)
_CLOSINGS = [re.compile(closing, re.IGNORECASE) for _, closing in _PAIRS]
_UNOPENED = re.compile(
    "|".join((*(closing for _, closing in _PAIRS[:-1]), "assistantfinal")), re.IGNORECASE
)
_FRAMES = re.compile(
    r"(?:<\|start\|>assistant)?<\|channel\|>(?:final|commentary)"
    r"(?: ?<\|constrain\|>\w+)?<\|message\|>"
    r"|<\|(?:return|end|START_RESPONSE|END_RESPONSE|begin_of_solution|end_of_solution)\|>",
    re.IGNORECASE,
)
"""Marks around the answer itself: they go, and what they hold stays."""

_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|endoftext|>", "<end_of_turn>", "</s>")
_DEEPSEEK_END = "<\uff5cend\u2581of\u2581sentence\uff5c>"
_ENDING = re.compile(rf"(?:{'|'.join(map(re.escape, (*_ENDS, _DEEPSEEK_END)))})\s*\Z")
"""The token that ends a reply, which some servers pass on as its last words."""

_MARKS = tuple(
    mark.lower()
    for mark in (
        *(f"<{tag}>" for tag in _TAGS.split("|")),
        *(f"</{tag}>" for tag in _TAGS.split("|")),
        *("[THINK]", "[/THINK]", "◁think▷", "◁/think▷", "<|think|>", "<|/think|>"),
        *("<|START_THINKING|>", "<|END_THINKING|>", "<|START_RESPONSE|>", "<|END_RESPONSE|>"),
        *("<|begin_of_thought|>", "<|end_of_thought|>"),
        *("<|begin_of_solution|>", "<|end_of_solution|>"),
        *("<|inner_prefix|>", "<|inner_suffix|>", "<unused94>thought", "<unused95>"),
        *("<|channel>thought", "<|channel>analysis", "<channel|>", "<|return|>", "<|end|>"),
        *("<|start|>", "<|channel|>", "assistantfinal"),
        *_ENDS,
        _DEEPSEEK_END,
    )
)
_LONGEST_MARK = max(map(len, _MARKS))
_FIRSTS = frozenset(mark[0] for mark in _MARKS)
_FRAME_BEGUN = re.compile(
    r"<\|(?:start|channel)\|>(?:(?!<\|message\|>)[^\n]){0,100}\Z", re.IGNORECASE
)
_FENCE = re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)
_QUOTES = frozenset("\"'`\u201c\u2018\u201e\u00ab")
_BLANK = f"{string.whitespace}\x85\xa0\u2028\u2029\u3000\ufeff\u200b\u2060"
"""White space and what is as invisible; some servers put a byte order mark before a reply."""

_SENTENCE_ENDS = frozenset(".!?\u2026\u3002")
_GOES_ON = frozenset(",;.?!)")
_LOOKED_AT_BEHIND = 2


def split_thinking(text: str) -> tuple[str, str]:
    """Return the answer and the thinking in a whole reply, either may be empty."""
    splitter = ThoughtSplitter()
    splitter.feed(text)
    splitter.finish()
    return splitter.answer, splitter.thought


class ThoughtSplitter:
    """Splits a reply as it comes; no part of a mark is ever handed on.

    Args:
        unseen: True for a model whose replies begin inside the thinking: nothing is handed on
            before its end, or the end of the reply.

    Attributes:
        thought: the thinking so far.
        answer: the answer so far.
        began_inside: whether the end of thinking came whose beginning was not marked.
        took_back: whether what had been handed on was thinking: what is returned from then on is
            the answer from its beginning. Whoever reads it sets it back.
    """

    def __init__(self, *, unseen: bool = False) -> None:
        self.thought = ""
        self.answer = ""
        self.began_inside = False
        self.took_back = False
        self._unseen = unseen
        self._closing: re.Pattern[str] | None = None
        self._other_end: tuple[int, int] | None = None
        self._own_end = ""
        self._opened = False
        self._left = ""

    def feed(self, text: str) -> str:
        """Take the next piece; returns what can be shown of it, or of earlier ones."""
        self._left += text
        return self._advance(last=False)

    def finish(self) -> str:
        """Return what can be shown of the rest."""
        return self._advance(last=True)

    def sees(self) -> str:
        """Note that the server tells thinking apart by itself; returns what was held back."""
        if not self._unseen:
            return ""
        self._unseen = False
        return self._advance(last=False)

    def _advance(self, *, last: bool) -> str:
        shown = len(self.answer)
        while self._step(last=last):
            pass
        if last and self._closing is not None:
            self._end_unclosed()
        return self.answer if self.took_back else self.answer[shown:]

    def _step(self, *, last: bool) -> bool:
        """Use up the next stretch of text; False when more has to come first."""
        if self._closing is not None:
            return self._think(last=last)
        found = self._next_mark()
        if found is not None:
            kind, start, end = found
            if not last and end == len(self._left) and _may_go_on(self._left[start:]):
                return False
            if not last and kind == "close" and len(self._left) - end < _LOOKED_AT_BEHIND:
                return False
            self._mark(kind, start, end)
            return True
        if self._unseen and not last:
            return False
        self._show(self._without_end() if last else len(self._left) - self._undecided())
        if last:
            self._left = ""
        return False

    def _think(self, *, last: bool) -> bool:
        assert self._closing is not None  # noqa: S101 - the caller has looked
        match = self._closing.search(self._left)
        if match is None:
            keep = 0 if last else self._undecided()
            self._take_thought(len(self._left) - keep)
            return False
        if not last and match[0] and len(self._left) - match.end() < _LOOKED_AT_BEHIND:
            return False
        if self._is_thought_of(match):
            self._take_thought(match.end())
            return True
        self.thought += self._left[: match.start()] + "\n"
        self._left = self._left[match.end() :]
        self._closing, self._other_end = None, None
        return True

    def _is_thought_of(self, match: re.Match[str]) -> bool:
        """Whether a closing mark belongs to the thinking, which goes on: quoted, or another's."""
        before = self.thought + self._left[: match.start()]
        behind = self._left[match.end() : match.end() + _LOOKED_AT_BEHIND]
        if match[0] and before[-1:] in _QUOTES and behind[:1] in _QUOTES:
            return True
        if not self._own_end or match[0].lower() == self._own_end:
            return False
        if self._other_end is None and not _in_a_sentence(before, behind):
            at = len(self.thought)
            self._other_end = (at + match.start(), at + match.end())
        return True

    def _take_thought(self, end: int) -> None:
        self.thought += self._left[:end]
        self._left = self._left[end:]

    def _end_unclosed(self) -> None:
        """End a reply inside its thinking: another's mark was its end, where there is no other."""
        self._take_thought(len(self._left))
        if self._other_end is not None:
            start, end = self._other_end
            self.answer += self.thought[end:].lstrip(_BLANK)
            self.thought = self.thought[:start]
        self._closing = None

    def _without_end(self) -> int:
        """Return where the rest ends, less a token that only says so."""
        found = _ENDING.search(self._left)
        if found is None or self._in_code(found.start()):
            return len(self._left)
        before = self.answer + self._left[: found.start()]
        is_word = before[-1:] in _QUOTES | {" ", "\t"} or (
            found[0].startswith("</s>") and "<s>" in before
        )
        return len(self._left) if is_word or not before else found.start()

    def _next_mark(self) -> tuple[str, int, int] | None:
        """Return the first mark that counts: ``open0``…, ``close`` or ``frame``, and where."""
        found: list[tuple[int, int, str]] = []
        for match in _OPENING.finditer(self._left):
            if self._opens(match):
                found.append((match.start(), match.end(), f"open{(match.lastgroup or 'o0')[1:]}"))
                break
        for match in _UNOPENED.finditer(self._left):
            if self._closes(match):
                found.append((match.start(), match.end(), "close"))
                break
        for match in _FRAMES.finditer(self._left):
            if not self._in_code(match.start()):
                found.append((match.start(), match.end(), "frame"))
                break
        if not found:
            return None
        start, end, kind = min(found)
        return kind, start, end

    def _mark(self, kind: str, start: int, end: int) -> None:
        if kind == "close":
            self.began_inside = True
            self.took_back = self.took_back or not _is_blank(self.answer)
            self.thought += self.answer + self._left[:start] + "\n"
            self.answer, self._unseen, self._opened = "", False, True
        else:
            if kind != "frame":
                self._closing = _CLOSINGS[int(kind[4:])]
                opening = self._left[start:end].lower()
                self._own_end = f"</{opening[1:]}" if kind == "open0" else ""
                self._unseen = False
            if _is_blank(self.answer + self._left[:start]):
                self.answer, self._left = "", self._left[start:]
            else:
                self._show(start)
            self._opened = True
            end -= start
        self._left = self._left[end:]

    def _show(self, end: int) -> None:
        text, self._left = self._left[:end], self._left[end:]
        if self._opened and _is_blank(self.answer):
            self.answer, text = "", text.lstrip(_BLANK)
        self.answer += text

    def _opens(self, match: re.Match[str]) -> bool:
        """Whether an opening mark counts: nothing but white space stands before it in its line."""
        at = match.start()
        before = self.answer + self._left[:at]
        line = before.rpartition("\n")[2]
        if not _is_blank(line) or len(line.expandtabs(4)) > 3:  # noqa: PLR2004 - four spaces are code
            return False
        if match[0].lower() in _WORDS_TOO and not _is_blank(before):
            return False
        return not self._in_code(at)

    def _closes(self, match: re.Match[str]) -> bool:
        """Whether a closing mark ends thinking that was never opened."""
        before = self.answer + self._left[: match.start()]
        if self._opened and before.strip():
            return False
        if before[-1:] in _QUOTES or _OPENING.search(before) or self._in_code(match.start()):
            return False
        if match[0].lower() == "assistantfinal" and (not before or before[-1].isspace()):
            return False
        behind = self._left[match.end() : match.end() + _LOOKED_AT_BEHIND]
        return behind[:1] not in _QUOTES and not _in_a_sentence(before, behind)

    def _in_code(self, at: int) -> bool:
        before = self.answer + self._left[:at]
        if len(_FENCE.findall(before)) % 2:
            return True
        return before.rpartition("\n")[2].count("`") % 2 == 1

    def _undecided(self) -> int:
        """Return how many characters at the end may be the beginning of a mark."""
        ending = _ENDING.search(self._left)
        keep = len(self._left) - ending.start() if ending else _mark_begun(self._left)
        if _is_blank(self.answer) and _is_blank(self._left[: len(self._left) - keep]):
            return len(self._left)  # white space before thinking is not shown
        return keep


def _mark_begun(text: str) -> int:
    """Return how many characters at the end of a text may be the beginning of a mark."""
    begun = _FRAME_BEGUN.search(text)
    if begun is not None:
        return len(text) - begun.start()
    tail = text[-_LONGEST_MARK:].lower()
    for start, letter in enumerate(tail):
        if letter in _FIRSTS and any(mark.startswith(tail[start:]) for mark in _MARKS):
            return len(tail) - start
    return 0


def _is_blank(text: str) -> bool:
    return not text.strip(_BLANK)


def _in_a_sentence(before: str, behind: str) -> bool:
    """Whether a mark is a word of a sentence: ``we split at </think> and take the rest``."""
    line = before.rpartition("\n")[2]
    words = line.rstrip()
    if not words or line == words or words[-1] in _SENTENCE_ENDS:
        return False
    return behind[:1] in _GOES_ON or (behind[:1] == " " and behind[1:].islower())


def _may_go_on(mark: str) -> bool:
    """Whether what looks like a mark may become a longer one."""
    lowered = mark.lower()
    return any(one.startswith(lowered) and one != lowered for one in _MARKS)
