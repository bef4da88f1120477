"""A first configuration, written for what was found on a machine."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from noctule.core.errors import UsageError
from noctule.models.discovery import Found, FoundModel
from noctule.models.picking import Picked, calls_tools, pick
from noctule.models.services import SERVICES, Service

_GB = 1_000_000_000
_WIDE_FROM = 30 * _GB  # with this much memory a wider context is worth its place
_NONE = "none"
_NOT_NAMES = {"true", "false", "null"}  # YAML reads these as something else

_EMBEDDED = """\
# This model is too small to choose a role: where no rule fits, chat answers.
route_by: rules

endpoints:
  embedded: {kind: embedded, slots: 2}

# The packaged model is tiny: it shows how Noctule works, not how good answers are. For better
# ones start Ollama, or export the key of a hosted service, and run `noctule init` again.
models:
  smol:
    endpoint: embedded
    name: smollm2-135m-instruct
    context: 4096
    memory_gb: 0.4
    tools: false

roles:
  chat:         {primary: smol, max_tokens: 120, temperature: 0.3}
  orchestrator: {primary: smol, max_tokens: 96, temperature: 0}
  engineer:     {primary: smol, max_tokens: 256, temperature: 0.2}
  research:     {primary: smol, max_tokens: 160, temperature: 0.3}
  writer:       {primary: smol, max_tokens: 160, temperature: 0.4}
  utility:      {primary: smol, max_tokens: 160, temperature: 0, tools: []}
"""


@dataclass(frozen=True, slots=True)
class Question:
    """Something only the person can decide.

    Args:
        key: under which :func:`propose` takes the answer.
        text: the question.
        choices: the possible answers; () means any text.
        default: the answer when none is given.
    """

    key: str
    text: str
    choices: tuple[str, ...]
    default: str


def questions(found: Found) -> list[Question]:
    """Return what is worth asking; [] when there is nothing to decide."""
    asked: list[Question] = []
    services = _services(found)
    if services:
        local = _picked(found) is not None
        names = tuple(service.endpoint for service in services)
        what = "research and writing" if local else "everything"
        choices = (*names, _NONE)
        asked.append(Question("cloud", f"Which hosted service for {what}?", choices, names[0]))
        text = "How many US dollars may a role spend there in five hours?"
        asked.append(Question("budget_usd", text, (), "1.00"))
    if found.telegram:
        text = "Start the Telegram bot with `noctule serve`?"
        asked.append(Question("telegram", text, ("yes", "no"), "yes"))
    return asked


def propose(found: Found, answers: Mapping[str, str] | None = None) -> str:
    """Write a configuration for what was found.

    Args:
        found: what there is.
        answers: by the keys of :func:`questions`; what is not answered takes its default.

    Returns:
        YAML with comments, which loads without a problem.

    Raises:
        UsageError: an answer is none of the choices, or no sum of money.
    """
    given = _checked(found, answers or {})
    service = next((s for s in _services(found) if s.endpoint == given.get("cloud")), None)
    picked = _picked(found)
    if picked is None and service is None:
        body = _EMBEDDED
    else:
        body = "\n".join(_body(found, picked, service, given.get("budget_usd", "")))
    return "\n".join(_head(found)) + "\n\n" + body + "".join(_telegram(given))


def _services(found: Found) -> list[Service]:
    return [service for service in SERVICES if service.variable in found.keys]


def _picked(found: Found) -> Picked | None:
    return pick(found.ollama or (), found.memory_bytes)


def _checked(found: Found, answers: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for question in questions(found):
        answer = answers.get(question.key, "").strip() or question.default
        if question.choices and answer not in question.choices:
            raise UsageError(
                f"{answer!r} is no answer to: {question.text} "
                f"Answer one of: {', '.join(question.choices)}."
            )
        given[question.key] = answer
    if "budget_usd" in given:
        given["budget_usd"] = _money(given["budget_usd"])
    return given


def _money(text: str) -> str:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise UsageError(f"{text!r} is no sum of money. Answer in US dollars, like 1.00.")
    return f"{amount:f}"


def _head(found: Found) -> Iterator[str]:
    yield "# Written by `noctule init`. `noctule docs reference/configuration` describes every key;"
    yield "# `noctule doctor` checks it against this machine. Secrets stay in the environment."
    if found.ollama_trouble:
        yield f"# {found.ollama_trouble}"
    elif found.ollama is not None and _picked(found) is None:
        yield "# Ollama answers but has no model that could; `ollama pull qwen3.5` gets one."


def _body(
    found: Found, picked: Picked | None, service: Service | None, budget: str
) -> Iterator[str]:
    yield "endpoints:"
    if picked:
        yield f"  local: {{kind: ollama, url: {_text(found.ollama_url)}, keep_alive: 30m}}"
    if service:
        url = f", url: {_text(service.url)}" if service.url else ""
        yield (
            f"  {service.endpoint}: {{kind: {service.kind}{url}, "
            f'key: "${{{service.variable}}}", max_concurrent: 4}}'
        )
    yield ""
    names = _names(picked.models) if picked else {}
    yield from _models(found, picked, names, service)
    yield ""
    yield "roles:"
    yield from _roles(picked, names, service, budget)
    yield ""


def _models(
    found: Found, picked: Picked | None, names: Mapping[str, str], service: Service | None
) -> Iterator[str]:
    yield "models:"
    for model in picked.models if picked else ():
        yield f"  {names[model.name]}: {{{', '.join(_model_keys(found, model))}}}"
    if picked and picked.left:
        yield f"  # Ollama also has: {', '.join(picked.left)}"
    if service:
        yield f"  quick: {{endpoint: {service.endpoint}, name: {_text(service.quick)}, tier: mid}}"
        yield (
            f"  strong: {{endpoint: {service.endpoint}, name: {_text(service.strong)}, "
            "tier: frontier}"
        )


def _model_keys(found: Found, model: FoundModel) -> Iterator[str]:
    wide = found.memory_bytes is not None and found.memory_bytes >= _WIDE_FROM
    context = min(16384 if wide else 8192, model.context or 16384)
    yield "endpoint: local"
    yield f"name: {_text(model.name)}"
    yield f"context: {max(context, 256)}"
    if model.size_bytes:
        yield f"memory_gb: {max(model.size_bytes / _GB, 0.1):.1f}"
    if not calls_tools(model):
        yield "tools: false"
    if model.capabilities and "vision" in model.capabilities:
        yield "vision: true"
    if model.capabilities and "thinking" in model.capabilities:
        yield "thinking: true"


def _roles(
    picked: Picked | None, names: Mapping[str, str], service: Service | None, budget: str
) -> Iterator[str]:
    limit = f"budget: {{usd: {budget}, window: 5h}}"
    if picked is None:
        yield from _hosted_roles(limit)
        return
    quick, coder, strong = (names[m.name] for m in (picked.quick, picked.coder, picked.strong))
    other = strong if strong != quick else coder
    yield _role("chat", quick, other, "thinking: false")
    yield _role("orchestrator", quick, other, "thinking: false", "max_tokens: 200")
    yield _role("engineer", coder, strong if strong != coder else quick)
    if service:
        yield _role("research", "quick", strong, "escalate: strong", limit)
        yield _role("writer", "quick", strong, limit)
    else:
        able = strong if calls_tools(picked.strong) or not calls_tools(picked.quick) else quick
        yield _role("research", able, quick if able != quick else other)
        yield _role("writer", strong, quick if strong != quick else other)
    yield _role("utility", quick, other, "thinking: false", "tools: []")


def _hosted_roles(limit: str) -> Iterator[str]:
    yield _role("chat", "quick", "strong", "thinking: false", limit)
    yield _role("orchestrator", "quick", "strong", "thinking: false", "max_tokens: 200", limit)
    yield _role("engineer", "strong", "quick", limit)
    yield _role("research", "quick", "strong", limit)
    yield _role("writer", "quick", "strong", limit)
    yield _role("utility", "quick", "strong", "thinking: false", "tools: []", limit)


def _role(name: str, primary: str, fallback: str, *more: str) -> str:
    keys = [f"primary: {primary}"]
    if fallback != primary:
        keys.append(f"fallback: {fallback}")
    return f"  {name + ':':13} {{{', '.join([*keys, *more])}}}"


def _telegram(given: Mapping[str, str]) -> Iterator[str]:
    if given.get("telegram") == "yes":
        yield '\ntelegram: {token: "${TELEGRAM_BOT_TOKEN}", allow: []}   # pair with a code\n'


def _names(models: Sequence[FoundModel]) -> dict[str, str]:
    """Give each model a short name: the part before its tag, or all of it where that is taken."""
    names: dict[str, str] = {}
    for model in models:
        short = _word(model.name.rpartition("/")[2].partition(":")[0])
        taken = {*names.values(), "quick", "strong"}
        candidates = [short, _word(model.name), *(f"{short}-{n}" for n in range(2, 99))]
        names[model.name] = next(name for name in candidates if name not in taken)
    return names


def _word(text: str) -> str:
    word = re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-").lower()
    plain = word[:1].isalpha() and word not in _NOT_NAMES
    return word if plain else f"model-{word}".rstrip("-")


def _text(value: str) -> str:
    """Write text so that YAML and the variables in it leave it as it is."""
    return json.dumps(value).replace("${", "$${")
