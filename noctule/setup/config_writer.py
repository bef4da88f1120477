"""A first configuration, written for what was found on a machine."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from noctule.core.base.extras import Extra, Gap, gap
from noctule.core.errors import UsageError
from noctule.setup.context_room import context_of
from noctule.setup.discover import Discovery, FoundModel
from noctule.setup.first_roles import Bound, Hosted, bind
from noctule.setup.hosted import SERVICES, HostedService
from noctule.setup.recommend import Picked, calls_tools, pick

_GB = 1_000_000_000
_NONE = "none"
_MOST_SERVICES = 3  # one and two stand-ins: enough for any limit, and a file people can read
_NOT_NAMES = {"true", "false", "null"}  # YAML reads these as something else

_HOSTED_NAMES = {"quick", "strong"} | {
    f"{name}-{tier}"
    for name in ("azure", *(service.endpoint for service in SERVICES))
    for tier in ("quick", "strong")
}

_EMBEDDED = """\
# This model is too small to choose a role: when no rule matches, chat answers.
route_by: rules

endpoints:
  embedded: {kind: embedded, slots: 2}

# The packaged model is tiny: it shows how Noctule works, not what a good answer looks like. For
# better ones, start Ollama or export the key of a hosted service, then run `noctule init` again.
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
class SetupQuestion:
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


def questions(found: Discovery) -> list[SetupQuestion]:
    """Return what is worth asking; [] when there is nothing to decide."""
    asked: list[SetupQuestion] = []
    services = _usable(found)
    if services:
        local = pick_local(found) is not None
        names = tuple(service.endpoint for service in services)
        what = "research and writing" if local else "everything"
        others = {1: "", 2: " The other stands in for it."}.get(
            len(names), " Two of the others stand in for it."
        )
        choices = (*names, _NONE)
        text = f"Which hosted service for {what}?{others}"
        asked.append(SetupQuestion("cloud", text, choices, names[0]))
        text = "How many US dollars may a role spend there in five hours?"
        asked.append(SetupQuestion("budget_usd", text, (), "1.00"))
    if found.telegram:
        text = "Start the Telegram bot with `noctule serve`?"
        asked.append(SetupQuestion("telegram", text, ("yes", "no"), "yes"))
    return asked


def needs_packaged_model(found: Discovery, answers: Mapping[str, str]) -> bool:
    """Return whether there is nothing but the packaged model that could answer.

    Args:
        found: what there is.
        answers: by the keys of :func:`questions`.
    """
    return pick_local(found) is None and (not _usable(found) or answers.get("cloud") == _NONE)


def propose(found: Discovery, answers: Mapping[str, str] | None = None) -> str:
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
    hosted = _hosted(found, given.get("cloud", _NONE))
    picked = pick_local(found)
    if picked is None and not hosted:
        body = _EMBEDDED
    else:
        body = "\n".join(_body(found, picked, hosted, given.get("budget_usd", "")))
    return "\n".join(_head(found)) + "\n\n" + body + "".join(_telegram(found, given))


def pick_local(found: Discovery) -> Picked | None:
    """Return which local models would do what; None where none could."""
    return pick(found.ollama or (), found.memory_bytes)


def _usable(found: Discovery) -> list[HostedService]:
    """Return the services a role can be bound to now: with models, prices and what they need.

    A service whose client is not installed is one only where there is no other.
    """
    known = [service for service in found.services if service.quick and service.priced]
    return [service for service in known if _extra(service) is None] or known


def _extra(service: HostedService) -> Gap | None:
    return gap(Extra.ANTHROPIC) if service.kind == "anthropic" else None


def _hosted(found: Discovery, first: str) -> list[Hosted]:
    """Name the models of the services, the chosen one first; [] when none is wanted."""
    if first == _NONE:
        return []
    services = sorted(_usable(found), key=lambda service: service.endpoint != first)
    services = services[:_MOST_SERVICES]
    return [
        Hosted(service, "quick", "strong" if service.strong != service.quick else "quick")
        if service.endpoint == first
        else Hosted(
            service,
            f"{service.endpoint}-quick",
            f"{service.endpoint}-{'strong' if service.strong != service.quick else 'quick'}",
        )
        for service in services
    ]


def _checked(found: Discovery, answers: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for question in questions(found):
        answer = answers.get(question.key, "").strip() or question.default
        if question.choices and answer not in question.choices:
            raise UsageError(
                f"{answer!r} is not an answer to: {question.text} "
                f"Answer with one of: {', '.join(question.choices)}."
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
        raise UsageError(f"{text!r} is not an amount of money. Answer in US dollars, like 1.00.")
    return f"{amount:f}"


def _head(found: Discovery) -> Iterator[str]:
    yield "# Written by `noctule init`. `noctule docs reference/configuration` describes every key;"
    yield "# `noctule doctor` checks it against this machine. Secrets stay in the environment."
    if found.ollama_trouble:
        yield f"# {found.ollama_trouble}"
    elif found.ollama is not None and pick_local(found) is None:
        yield "# Ollama is running but has no model that can chat; `ollama pull qwen3.5` gets one."
    for note in found.notes:
        yield f"# {note}"


def _body(
    found: Discovery, picked: Picked | None, hosted: Sequence[Hosted], budget: str
) -> Iterator[str]:
    yield "endpoints:"
    if picked:
        yield f"  local: {{kind: ollama, url: {_text(found.ollama_url)}, keep_alive: 30m}}"
    written, others = _split(found, hosted)
    for service in written:
        url = f", url: {_text(service.url)}" if service.url else ""
        yield (
            f"  {service.endpoint}: {{kind: {service.kind}{url}, "
            f'key: "${{{service.variable}}}", max_concurrent: 4}}'
        )
    if others:
        yield f"  # Also set, and not used here: {', '.join(each.variable for each in others)}"
    yield ""
    names = _names(picked.models) if picked else {}
    yield "models:"
    yield from _local_models(found, picked, names)
    for one in hosted:
        yield from _hosted_models(one)
    yield from _left_out(found, hosted)
    yield ""
    yield "roles:"
    for bound in bind(picked, names, hosted):
        yield _role(bound, budget)
    yield ""


def _split(
    found: Discovery, hosted: Sequence[Hosted]
) -> tuple[list[HostedService], list[HostedService]]:
    """Return the services that get an endpoint, and those that could but are too many."""
    if not hosted:
        return [], []
    bound = {one.service.endpoint for one in hosted}
    others = [service for service in _usable(found) if service.endpoint not in bound]
    return [service for service in found.services if service not in others], others


def _local_models(
    found: Discovery, picked: Picked | None, names: Mapping[str, str]
) -> Iterator[str]:
    for model in picked.models if picked else ():
        context = context_of(model, picked.models if picked else (), found.memory_bytes)
        yield f"  {names[model.name]}: {{{', '.join(_model_keys(model, context))}}}"
    if picked and picked.left:
        yield f"  # Ollama also has: {', '.join(picked.left)}"


def _model_keys(model: FoundModel, context: int) -> Iterator[str]:
    yield "endpoint: local"
    yield f"name: {_text(model.name)}"
    yield f"context: {context}"
    if model.size_bytes:
        yield f"memory_gb: {max(model.size_bytes / _GB, 0.1):.1f}"
    if not calls_tools(model):
        yield "tools: false"
    if model.capabilities and "vision" in model.capabilities:
        yield "vision: true"
    if model.capabilities and "thinking" in model.capabilities:
        yield "thinking: true"


def _hosted_models(one: Hosted) -> Iterator[str]:
    head = f"endpoint: {one.service.endpoint}"
    yield f"  {one.quick}: {{{head}, name: {_text(one.service.quick)}, tier: mid}}"
    if one.strong != one.quick:
        yield f"  {one.strong}: {{{head}, name: {_text(one.service.strong)}, tier: frontier}}"


def _left_out(found: Discovery, hosted: Sequence[Hosted]) -> Iterator[str]:
    """Say of endpoints without a bound model what is missing."""
    bound = {one.service.endpoint for one in hosted}
    for service in _split(found, hosted)[0]:
        if service.endpoint not in bound:
            name = _text(service.quick or "YOUR-DEPLOYMENT")
            missing = _extra(service)
            why = str(missing or "No price is known for this one: write it here.")
            price = "" if missing else ", price: {input: 0.00, output: 0.00}"
            yield f"  # {why} Then use it in roles:"
            yield (
                f"  # {service.endpoint}-quick: {{endpoint: {service.endpoint}, name: {name}"
                f"{price}}}"
            )


def _role(bound: Bound, budget: str) -> str:
    primary, *others = bound.models
    keys = [f"primary: {primary}"]
    if others:
        listed = ", ".join(others)
        keys.append(f"fallback: {listed}" if len(others) == 1 else f"fallback: [{listed}]")
    keys += bound.keys
    if bound.hosted:
        keys.append(f"budget: {{usd: {budget}, window: 5h}}")
    return f"  {bound.role + ':':13} {{{', '.join(keys)}}}"


def _telegram(found: Discovery, given: Mapping[str, str]) -> Iterator[str]:
    if given.get("telegram") == "yes":
        url = f", base_url: {_text(found.telegram_url)}" if found.telegram_url else ""
        keys = f'token: "${{TELEGRAM_BOT_TOKEN}}"{url}, allow: []'
        yield f"\ntelegram: {{{keys}}}   # pair with a link or a code\n"


def _names(models: Sequence[FoundModel]) -> dict[str, str]:
    """Give each model a short name: the part before its tag, or all of it where that is taken."""
    names: dict[str, str] = {}
    for model in models:
        short = _word(model.name.rpartition("/")[2].partition(":")[0])
        taken = {*names.values(), *_HOSTED_NAMES}
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
