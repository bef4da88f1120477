"""The probe's verdict beside a public function-calling set: do both put models in the same order?

Questions and answers are BFCL's (simple, multiple, parallel, irrelevance), data files of the
``bfcl-eval`` wheel, Apache 2.0; nothing of it is installed:

    pip download --no-deps bfcl-eval -d /tmp/bfcl && unzip -q /tmp/bfcl/*.whl -d /tmp/bfcl
    python -m benchmarks.probe --config config.yaml --data /tmp/bfcl/bfcl_eval/data \
        [--models a,b] [--questions 25] [--json]

Each model is probed and then asked the first questions of each kind, through the same binding.
*made* counts calls made as the API has it; *written* also counts those written as text, as if
somebody had made them: that tells how much a model understands when it cannot say it.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.messages.tool import tool_call

from noctule.bootstrap import open_models, open_records
from noctule.config import load
from noctule.core.errors import NoModelError
from noctule.core.llm.attempts import Purpose
from noctule.core.llm.calls import CallContext
from noctule.core.llm.selection import RoutingPreference
from noctule.models.binding.models import Models
from noctule.models.capabilities.grading import grade
from noctule.models.capabilities.probe import role_for
from noctule.models.capabilities.probe_cases import CASES
from noctule.models.capabilities.tool_ability import tool_bound
from noctule.models.request.chat_request import ChatRequest
from noctule.models.tool_calls.text_tool_calls import find_imitation

KINDS = ("simple_python", "multiple", "parallel", "irrelevance")
MOST_TOKENS = 160
TYPES = {"dict": "object", "float": "number", "tuple": "array", "any": "string"}
IGNORED = str.maketrans("", "", " ,./-_*^'\"")


@dataclass(frozen=True)
class Question:
    """One question of the set.

    Args:
        kind: one of ``KINDS``.
        text: what the person says.
        tools: what is offered.
        answers: the calls that are due, each argument with its admissible values; () for none.
    """

    kind: str
    text: str
    tools: tuple[dict[str, Any], ...]
    answers: tuple[tuple[str, Mapping[str, list[Any]]], ...]


@dataclass
class Result:
    """What one model did.

    Args:
        model: by its configured name.
        outcome: of the probe.
        score: of the probe, by calls made.
        written_score: of the probe, calls written as text counted as made.
        made: right answers by kind.
        written: likewise, calls written as text counted as made.
        asked: questions by kind.
    """

    model: str
    outcome: str
    score: float
    written_score: float
    made: dict[str, int] = field(default_factory=dict)
    written: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def accuracy(self, right: Mapping[str, int]) -> float:
        """Return the mean of the kinds' shares: each kind weighs the same."""
        return sum(right[kind] / self.asked[kind] for kind in self.asked) / len(self.asked)


def read(data: Path, most: int) -> list[Question]:
    """Read the first questions of each kind."""
    questions: list[Question] = []
    for kind in KINDS:
        name = f"BFCL_v4_{kind}.json"
        answers = {}
        if (data / "possible_answer" / name).exists():
            answers = {
                row["id"]: row["ground_truth"] for row in _rows(data / "possible_answer" / name)
            }
        rows = _rows(data / name)[:most]
        questions += [_question(kind, row, answers.get(row["id"], [])) for row in rows]
    return questions


def is_right(question: Question, calls: Sequence[tuple[str, Mapping[str, Any]]]) -> bool:
    """Whether calls are what is due, in any order, each with admissible values only."""
    left = list(question.answers)
    for name, arguments in calls:
        found = next((due for due in left if _fits(due, name, arguments)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


def _fits(
    due: tuple[str, Mapping[str, list[Any]]], name: str, arguments: Mapping[str, Any]
) -> bool:
    if due[0] != name or arguments.keys() - due[1].keys():
        return False
    return all(
        any(_same(value, arguments[key]) for value in values) if key in arguments else "" in values
        for key, values in due[1].items()
    )


def _same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, str) and isinstance(given, str):
        return wanted.lower().translate(IGNORED) == given.lower().translate(IGNORED)
    if isinstance(wanted, list) and isinstance(given, list):
        return len(wanted) == len(given) and all(map(_same, wanted, given))
    if isinstance(wanted, dict) and isinstance(given, dict):
        return _fits(("", wanted), "", given)
    return isinstance(wanted, bool) == isinstance(given, bool) and bool(wanted == given)


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def _question(kind: str, row: Mapping[str, Any], answers: Sequence[Mapping[str, Any]]) -> Question:
    tools = tuple(
        {
            "name": _name(tool["name"]),
            "description": tool["description"],
            "parameters": _schema(tool["parameters"]),
        }
        for tool in row["function"]
    )
    due = tuple((_name(name), values) for answer in answers for name, values in answer.items())
    return Question(kind, row["question"][0][-1]["content"], tools, due)


def _name(name: str) -> str:
    return name.replace(".", "_")  # most providers take no dots


def _schema(value: Any) -> Any:
    if isinstance(value, list):
        return [_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    found = {key: _schema(one) for key, one in value.items() if key != "optional"}
    kind = found.get("type")
    return found | {"type": TYPES.get(kind, kind)} if isinstance(kind, str) else found


async def ask(models: Models, model: str, role: Any, question: Question) -> AIMessage:
    """Ask one question; an answer that is none is empty."""
    tools = [{"type": "function", "function": tool} for tool in question.tools]
    call = ChatRequest(messages=[HumanMessage(question.text)], tools=tools, max_tokens=MOST_TOKENS)
    context = CallContext(role=role, purpose=Purpose.PROBE, wish=RoutingPreference(forced=model))
    try:
        return (await models.call(call, context)).message
    except NoModelError:
        return AIMessage(content="")


def calls_of(message: AIMessage, tools: Sequence[Mapping[str, Any]], *, written: bool) -> list[Any]:
    """Return the calls of a message; with ``written`` also those written as text."""
    if message.tool_calls or not written:
        return [(call["name"], call["args"]) for call in message.tool_calls]
    found = find_imitation(message.text, [tool["name"] for tool in tools])
    return [] if found is None else [(call.name, call.arguments or {}) for call in found.calls]


def written_score(cases: Sequence[Mapping[str, Any]]) -> float:
    """Grade a probe's raw replies again, calls written as text counted as made."""
    by_name = {case.name: case for case in CASES}
    right = 0
    for kept in cases:
        case = by_name[kept["case"]]
        try:
            content = json.loads(kept["said"]).get("content", "")
        except ValueError:
            content = ""
        found = None if kept["passed"] else find_imitation(content, case.tools)
        calls = [] if found is None else found.calls
        message = AIMessage(
            content="",
            tool_calls=[
                tool_call(name=c.name, args=dict(c.arguments or {}), id=f"c{n}")
                for n, c in enumerate(calls)
            ],
        )
        again = grade(case, message) if calls else None
        right += bool(kept["passed"] or (again is not None and again.passed))
    return right / len(CASES)


def order(results: Sequence[Result]) -> dict[str, dict[str, int]]:
    """Count the pairs of models that both put in the same order, in opposite ones, or tie."""
    found = {}
    measures = {
        "made": [(r.outcome == "proven", r.score, r.accuracy(r.made)) for r in results],
        "written": [(False, r.written_score, r.accuracy(r.written)) for r in results],
    }
    for name, rows in measures.items():
        same = opposite = tied = 0
        for one, other in combinations(rows, 2):
            probe = (one[:2] > other[:2]) - (one[:2] < other[:2])
            public = (one[2] > other[2]) - (one[2] < other[2])
            same += probe * public > 0
            opposite += probe * public < 0
            tied += probe * public == 0
        found[name] = {"same": same, "opposite": opposite, "tied": tied}
    return found


async def measure(options: argparse.Namespace) -> list[Result]:
    """Probe and ask every model."""
    questions = read(options.data, options.questions)
    loaded = load(options.config)
    async with open_records(loaded) as records, open_models(records) as models:
        names = options.models.split(",") if options.models else tool_bound(records.settings)
        results = []
        for name in names:
            [proved] = await models.prove([name], fresh=options.fresh, denied=[name])
            if proved.proof is None:
                print(f"{name}: {proved.note}", file=sys.stderr)
                continue
            proof = proved.proof
            result = Result(name, proof.outcome.value, proof.score, written_score(proof.cases))
            role = role_for(records.settings, name)
            for question in questions:
                message = await ask(models, name, role, question)
                kind = question.kind
                result.asked[kind] = result.asked.get(kind, 0) + 1
                for written, into in ((False, result.made), (True, result.written)):
                    calls = calls_of(message, question.tools, written=written)
                    into[kind] = into.get(kind, 0) + is_right(question, calls)
                print(f"{name} {kind} {result.made} {result.written}", file=sys.stderr)
            results.append(result)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.probe", description=__doc__)
    parser.add_argument("--config", type=Path, help="whose models; none takes what `noctule` takes")
    parser.add_argument("--data", type=Path, help="the folder bfcl_eval/data of the wheel")
    parser.add_argument("--models", help="names, with commas; none takes all of roles with tools")
    parser.add_argument("--questions", type=int, default=25, help="of each kind")
    parser.add_argument("--fresh", action="store_true", help="probe again, whatever is known")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.data is None:
        why = "no questions: give --data, as the beginning of benchmarks/probe.py says"
        print(json.dumps({"skipped": why}) if options.json else why)
        return 0
    results = asyncio.run(measure(options))
    pairs = order(results)
    if options.json:
        rows = [{**vars(r), "made_accuracy": r.accuracy(r.made)} for r in results]
        print(json.dumps({"models": rows, "pairs": pairs}, indent=2))
        return 0
    kinds = "".join(f"{kind.partition('_')[0]:>14}" for kind in KINDS)
    print(f"{'model':14}{'outcome':18}{'probe':>7}{'set':>7}{kinds}    (made / written)")
    for r in results:
        cells = "".join(f"{r.made[k]:>6} / {r.written[k]:<2}/{r.asked[k]:<2}" for k in KINDS)
        print(f"{r.model:14}{r.outcome:18}{r.score:7.2f}{r.accuracy(r.made):7.2f}{cells}")
        print(f"{'':14}{'as written':18}{r.written_score:7.2f}{r.accuracy(r.written):7.2f}")
    for name, counts in pairs.items():
        print(f"pairs of models, calls {name}: {counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
