"""Advice: what a person can do about a model that was not asked or could not answer."""

from collections.abc import Sequence

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Refusal
from noctule.core.settings import EndpointKind, Settings

DOCTOR = "`noctule doctor` checks every model and says what to mend."


TOO_LONG = "Begin a new session, send less at once, or bind a model with a larger context."

_SENTENCES = {
    Outcome.AUTH: "Check the key of endpoint {endpoint} (the variable named at "
    "endpoints.{endpoint}.key): it is missing, wrong, or may not use {name}.",
    Outcome.MODEL_MISSING: "Correct models.{model}.name: endpoint {endpoint} has no {name}.",
    Outcome.QUOTA_EXHAUSTED: "Add credit or raise the limit of endpoint {endpoint} at its "
    "provider.",
    Outcome.CONTEXT_OVERFLOW: TOO_LONG,
    Outcome.BAD_REQUEST: "Check what is set for models.{model} and endpoints.{endpoint} "
    "(extra_body, thinking, tools) against what the provider says.",
    Outcome.CONTENT_FILTERED: "Say it differently, or choose another model with `--model`.",
    Outcome.EMPTY_REPLY: "Say it again, raise the role's max_tokens, or bind a more capable model.",
    Outcome.MALFORMED_TOOL_CALL: "Say it again, raise the role's max_tokens, or bind a more "
    "capable model.",
}


def for_refusal(settings: Settings, model: str, refusal: Refusal) -> str:
    """Return what to do about a refusal: one sentence.

    Args:
        settings: tell what kind of endpoint it was.
        model: who refused, by its configured name.
        refusal: what it said.
    """
    name, endpoint = settings.models[model].name, settings.models[model].endpoint
    kind = settings.endpoint_of(model).kind
    if refusal.outcome in {Outcome.UNAVAILABLE, Outcome.TIMEOUT}:
        if refusal.answered or refusal.torn:
            return look_at(settings, model, answers=True)
        return _reach(settings, endpoint)
    if refusal.outcome is Outcome.MODEL_MISSING and kind is EndpointKind.OLLAMA:
        return f"Fetch it with `ollama pull {name}`."
    sentence = _SENTENCES.get(refusal.outcome, DOCTOR)
    return sentence.format(name=name, model=model, endpoint=endpoint)


def look_at(settings: Settings, model: str, *, answers: bool = False) -> str:
    """Return what to do about a server that failed, where it is not known to be down: one sentence.

    Args:
        settings: tell what kind of endpoint it is.
        model: who failed, by its configured name.
        answers: whether it was reached: then starting it is no advice.
    """
    endpoint, own = settings.models[model].endpoint, settings.endpoint_of(model)
    if own.kind in {EndpointKind.EMBEDDED, EndpointKind.SCRIPTED}:
        return DOCTOR
    if answers:
        return f"The server of endpoint {endpoint} was reached and failed: its log says why."
    return f"Check that the server of endpoint {endpoint} is up, and what its log says."


def for_unaffordable(settings: Settings, model: str) -> str:
    """Return what to do where the money at a provider is not enough for one request: a sentence.

    Args:
        settings: tell which endpoint it was.
        model: who refused, by its configured name.
    """
    endpoint = settings.models[model].endpoint
    return (
        f"Add credit at the provider of endpoint {endpoint}, or lower max_tokens of the role, "
        "which this request asks for in full."
    )


def for_need(
    role: str, *, private: bool, tools: bool, vision: bool, able: Sequence[str] = ()
) -> str:
    """Return what to do when no model of a role can do what a call needs.

    Args:
        role: whose call it was.
        private: it may only go to local models.
        tools: it offers tools.
        vision: it sends pictures.
        able: models at hand that are proven to call tools.
    """
    if private:
        return (
            f"Bind a local model to roles.{role} (primary or fallback), "
            "or send it without --private or /private."
        )
    wanted = " and ".join(
        word for word, is_needed in (("calls tools", tools), ("sees pictures", vision)) if is_needed
    )
    if able and not vision:
        return f"Bind one that is proven to call tools to roles.{role}: {', '.join(able)}."
    if tools and not vision:
        return (
            f"Bind a model that calls tools to roles.{role}, or write `tools: []` there; "
            "`noctule models probe` asks those that were never asked, and with --fresh all again."
        )
    if wanted:
        return f"Bind a model to roles.{role} that {wanted}."
    return f"Correct the models of roles.{role} in the configuration, or the name after `--model`."


def _reach(settings: Settings, endpoint: str) -> str:
    match settings.endpoints[endpoint].kind:
        case EndpointKind.OLLAMA:
            url = settings.endpoints[endpoint].url or "http://127.0.0.1:11434"
            return f"Start Ollama (`ollama serve`) so that it answers at {url}."
        case EndpointKind.EMBEDDED | EndpointKind.SCRIPTED:
            return DOCTOR
        case _:
            return f"Check that the server of endpoint {endpoint} is up and its url is right."
