from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from genai_prices import data_snapshot
from hypothesis import given
from hypothesis import strategies as st

from noctule.config import load_text
from noctule.core.errors import UsageError
from noctule.core.settings import EndpointKind
from noctule.core.settings.root import RouteBy
from noctule.models.spend.known_prices import require_prices
from noctule.models.spend.prices import Prices
from noctule.setup.config_writer import propose, questions
from noctule.setup.context_room import cache_bytes, context_of
from noctule.setup.discover import OLLAMA_URL, Discovery, FoundModel, ollama_url
from noctule.setup.hosted import SERVICES, azure_in, keys_in
from noctule.setup.recommend import pick

GB = 1_000_000_000
CAN = frozenset({"completion", "tools"})
QWEN = FoundModel("qwen3.5:latest", int(6.6 * GB), CAN | {"thinking"}, 262144)
CODER = FoundModel("qwen2.5-coder:7b", int(4.7 * GB), CAN, 32768)
GEMMA = FoundModel("gemma4:26b", 16 * GB, CAN | {"vision"}, 262144)
TINY = FoundModel("qwen3:0.6b", GB // 2, CAN, 40960)
EMBED = FoundModel("nomic-embed-text", GB // 4, frozenset({"embedding"}))
CLOUD = FoundModel("glm-5:cloud", 0, CAN, remote=True)
EVERY_KEY = {name: "key" for service in SERVICES for name in service.variables} | {
    "TELEGRAM_BOT_TOKEN": "1:a",
    "AZURE_OPENAI_API_KEY": "key",
}
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def settings(text):
    """Load a proposal as the person will."""
    return load_text(text, environ=EVERY_KEY, folder=Path("/nowhere"), file="proposal")


def roles(found, **answers):
    """Return what each role is bound to."""
    bound = settings(propose(found, answers)).roles
    return {role.value: (binding.primary, *binding.fallback) for role, binding in bound.items()}


def test_the_common_machine():
    """With a general, a code and a large model, each role gets the one that suits it."""
    found = Discovery(ollama=(GEMMA, CODER, TINY, EMBED, QWEN, CLOUD), memory_bytes=64 * GB)
    assert roles(found) == {
        "chat": ("qwen3-5", "gemma4"),
        "orchestrator": ("qwen3-5", "gemma4"),
        "engineer": ("gemma4", "qwen3-5"),
        "research": ("gemma4", "qwen3-5"),
        "writer": ("gemma4", "qwen3-5"),
        "utility": ("qwen3-5", "gemma4"),
    }
    made = settings(propose(found))
    assert made.roles.orchestrator.thinking is False
    assert made.roles.utility.tools == ()
    assert made.models["gemma4"].vision is True
    assert "qwen3:0.6b" in propose(found)
    assert "nomic" not in propose(found)


def test_models_that_would_push_each_other_out_are_left_aside():
    """What is picked fits into three quarters of the memory together."""
    found = Discovery(ollama=(QWEN, CODER, GEMMA), memory_bytes=16 * GB)
    bound = roles(found)
    assert set(bound.values()) == {("qwen3-5",)}
    assert "# Ollama also has: qwen2.5-coder:7b, gemma4:26b" in propose(found)


def test_research_gets_a_model_that_calls_tools():
    """A larger model that cannot call tools does not search the web."""
    mute = FoundModel("poet:30b", 18 * GB, frozenset({"completion"}))
    bound = roles(Discovery(ollama=(QWEN, mute), memory_bytes=64 * GB))
    assert bound["research"][0] == "qwen3-5"
    assert bound["writer"][0] == "poet"


@pytest.mark.parametrize("only", [QWEN, CODER, TINY, GEMMA], ids=lambda model: model.name)
def test_a_single_model_does_everything_without_a_fallback(only):
    """One model alone is everybody's primary and nobody's fallback."""
    bound = roles(Discovery(ollama=(only,), memory_bytes=8 * GB))
    assert len(set(bound.values())) == 1
    assert {len(names) for names in bound.values()} == {1}


def test_hosted_models_go_where_they_help_and_stand_in_for_local_ones():
    """With a key and Ollama, research and writing are hosted; each has the other side behind it."""
    found = Discovery(ollama=(QWEN, CODER), keys=("ANTHROPIC_API_KEY",), memory_bytes=32 * GB)
    bound = roles(found, budget_usd="2.50")
    assert bound["research"] == bound["writer"] == ("quick", "qwen3-5")
    assert bound["chat"] == bound["utility"] == ("qwen3-5", "quick")
    assert bound["engineer"] == ("qwen3-5", "strong")
    made = settings(propose(found, {"budget_usd": "2.50"}))
    assert {role.budget.usd for _, role in made.roles.items()} == {Decimal("2.50")}
    assert made.endpoints["anthropic"].kind is EndpointKind.ANTHROPIC
    assert "quick" not in str(roles(found, cloud="none"))


def test_the_chosen_service_answers_and_two_others_stand_in():
    """With many keys the chosen service answers, two others stand in, and the rest is named."""
    found = replace(
        Discovery(keys=tuple(service.variable for service in SERVICES)), azure=azure("gpt-5.4")
    )
    text = propose(found, {"cloud": "groq"})
    made = settings(text)
    assert list(made.endpoints) == ["anthropic", "openai", "groq"]
    assert "XAI_API_KEY" in text
    wrong = []
    for role, binding in made.roles.items():
        primary, *others = [made.models[name].endpoint for name in binding.models]
        if primary != "groq" or others[0] == "groq" or len(set(others)) < len(made.endpoints) - 1:
            wrong.append(role)
    assert wrong == []
    require_prices(made, Prices(made.endpoints, made.models).list_cost, NOW)


def test_roles_with_tools_get_a_model_that_calls_them():
    """A local model without tools serves them only where nothing with tools is there."""
    mute = FoundModel("poet:30b", 18 * GB, frozenset({"completion"}))
    shelf = {
        "a small one with tools": (Discovery(ollama=(mute, TINY), memory_bytes=64 * GB), "qwen3"),
        "a hosted one": (
            Discovery(ollama=(mute,), keys=("GROQ_API_KEY",), memory_bytes=64 * GB),
            ("quick", "strong"),
        ),
        "a code model without": (
            Discovery(ollama=(CODER, QWEN), memory_bytes=64 * GB),
            "qwen3-5",
        ),
        "a code model with": (
            Discovery(ollama=(replace(CODER, name="devstral:24b"), QWEN), memory_bytes=64 * GB),
            ("qwen3-5", "devstral"),
        ),
    }
    wrong = {}
    for name, (found, expected) in shelf.items():
        bound = roles(found)
        for role in ("chat", "engineer", "research"):
            if bound[role][0] not in expected:
                wrong[name, role] = bound[role]
    assert wrong == {}
    assert roles(shelf["a code model with"][0])["engineer"][0] == "devstral"


def test_contexts_follow_the_model_and_the_memory():
    """What the model was made for where memory allows, less where it does not, never one number."""
    shaped = replace(QWEN, cache_bytes_per_token=131_072)
    cases = {
        (QWEN.context, 64): 131_072,
        (QWEN.context, 16): 53_248,
        (QWEN.context, 8): 4096,
        (32_768, 64): 32_768,
        (2048, 64): 2048,
        (None, 64): 16_384,
    }
    got = {
        (longest, gb): context_of(one := replace(shaped, context=longest), (one,), gb * GB)
        for longest, gb in cases
    }
    assert got == cases
    assert context_of(shaped, (shaped,), None) == 16_384
    both = (shaped, GEMMA)
    used = sum(one.size_bytes + context_of(one, both, 32 * GB) * cache_bytes(one) for one in both)
    assert used <= 32 * GB


def test_azure_and_other_addresses_are_told_apart():
    """Azure needs address and deployment; a key that is for another server is not used."""
    key = {"AZURE_OPENAI_API_KEY": "k"}
    there = {**key, "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com/openai/deployments/x"}
    assert azure_in({}) == (None, [])
    assert "AZURE_OPENAI_ENDPOINT" in azure_in(key)[1][0]
    unnamed, notes = azure_in(there)
    assert (unnamed.quick, "AZURE_OPENAI_DEPLOYMENT" in notes[0]) == ("", True)
    assert unnamed.url == "https://mine.openai.azure.com/openai/v1/"
    named, notes = azure_in({**there, "AZURE_OPENAI_DEPLOYMENT": "gpt-5.4"})
    assert (named.quick, named.priced, notes) == ("gpt-5.4", True, [])
    own, notes = azure_in({**there, "AZURE_OPENAI_DEPLOYMENT_NAME": "our-own"})
    assert (own.priced, "price" in notes[0]) == (False, True)
    found = Discovery(keys=("GROQ_API_KEY",), azure=own)
    made = settings(propose(found))
    assert "azure" in made.endpoints
    assert "our-own" in propose(found)
    assert keys_in({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "http://box:8000/v1"})[0] == []
    assert keys_in({"OPENAI_API_KEY": "k", "OPENAI_BASE_URL": "https://api.openai.com/v1"})[0]
    assert keys_in({"GOOGLE_API_KEY": "k", "GROQ_API_KEY": " "})[0] == ["GOOGLE_API_KEY"]
    assert '"${GOOGLE_API_KEY}"' in propose(Discovery(keys=("GOOGLE_API_KEY",)))


def azure(deployment):
    """Return Azure's OpenAI with a deployment."""
    return azure_in(
        {
            "AZURE_OPENAI_API_KEY": "k",
            "AZURE_OPENAI_ENDPOINT": "https://mine.openai.azure.com",
            "AZURE_OPENAI_DEPLOYMENT": deployment,
        }
    )[0]


def test_hosted_models_alone_do_everything_within_budgets():
    """With a key and nothing local, every role is hosted and every role has a budget."""
    made = settings(propose(Discovery(keys=("GROQ_API_KEY",), ollama_trouble="Nothing answers.")))
    assert list(made.endpoints) == ["groq"]
    assert all(binding.budget for _, binding in made.roles.items())


@pytest.mark.parametrize(
    "found", [Discovery(), Discovery(ollama=()), Discovery(ollama=(EMBED, CLOUD))]
)
def test_nothing_found_means_the_packaged_model(found):
    """Without a model that could answer, every role uses the packaged one."""
    made = settings(propose(found))
    assert made.endpoints["embedded"].kind is EndpointKind.EMBEDDED
    assert set(made.models) == {"smol"}
    assert made.route_by is RouteBy.RULES


def test_only_what_is_undecided_is_asked():
    """Questions are asked about money, keys and the bot, and only where there are any."""
    assert questions(Discovery(ollama=(QWEN,))) == []
    found = Discovery(ollama=(QWEN,), keys=("OPENAI_API_KEY", "GROQ_API_KEY"), telegram=True)
    cloud, budget, telegram = questions(found)
    assert cloud.choices == ("openai", "groq", "none")
    assert cloud.default == "openai"
    assert budget.default == "1.00"
    assert telegram.choices == ("yes", "no")
    assert settings(propose(found)).telegram.token is not None
    assert settings(propose(found, {"telegram": "no"})).telegram.token is None


@pytest.mark.parametrize(
    "answers",
    [{"cloud": "nobody"}, {"budget_usd": "a lot"}, {"budget_usd": "-1"}, {"budget_usd": "NaN"}],
)
def test_answers_that_are_none(answers):
    """An answer outside the choices is refused with the choices."""
    with pytest.raises(UsageError, match="Answer"):
        propose(Discovery(keys=("OPENAI_API_KEY",)), answers)


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.title)
def test_services_are_known(service):
    """Each service's proposal loads, and its models' prices are known."""
    made = settings(propose(Discovery(keys=(service.variable,))))
    assert service.endpoint in made.endpoints
    provider = {"gemini": "google", "xai": "x-ai", "moonshot": "moonshotai"}.get(
        service.endpoint, service.endpoint
    )
    for name in (service.quick, service.strong):
        snapshot = data_snapshot.get_snapshot()
        assert snapshot.find_provider_model(name, None, provider, None)


names = st.from_regex(r"\A[\w./:@-]{1,40}\Z").filter(str.isascii)
models = st.builds(
    FoundModel,
    names,
    st.integers(0, 200 * GB),
    st.none() | st.frozensets(st.sampled_from(["completion", "tools", "vision", "thinking"])),
    st.none() | st.integers(1, 10**7),
    st.booleans(),
)


@given(
    st.none() | st.lists(models, max_size=6, unique_by=lambda model: model.name).map(tuple),
    st.sets(st.sampled_from([service.variable for service in SERVICES])).map(tuple),
    st.booleans(),
    st.none() | st.integers(GB, 512 * GB),
)
def test_every_proposal_loads(ollama, keys, telegram, memory):
    """Whatever is found, what is proposed has no problem, and at most forty lines."""
    found = Discovery(ollama=ollama, keys=keys, telegram=telegram, memory_bytes=memory)
    text = propose(found)
    assert settings(text).models
    assert len(text.splitlines()) <= 40


@pytest.mark.parametrize("extra", [None, "a gap"])
def test_a_proposal_for_everything_at_once_has_forty_lines(monkeypatch, extra):
    """Four local models, every key, Azure without a price, two notes and the bot: forty lines."""
    monkeypatch.setattr("noctule.setup.config_writer.gap", lambda _: extra)
    poet = FoundModel("poet:30b", 18 * GB, frozenset({"completion"}))
    code = replace(CODER, name="devstral:24b")
    found = Discovery(
        ollama=(QWEN, code, GEMMA, poet, TINY),
        keys=tuple(service.variable for service in SERVICES),
        azure=replace(azure("gpt-5.4"), quick="", priced=False),
        notes=("One.", "Two."),
        telegram=True,
        memory_bytes=512 * GB,
    )
    text = propose(found)
    assert settings(text).roles
    assert len(text.splitlines()) <= 40
    assert len(propose(replace(found, ollama=None, ollama_trouble="No.")).splitlines()) <= 40


@given(st.lists(models, max_size=6), st.integers(GB, 512 * GB))
def test_what_is_picked_fits(found, memory):
    """Everything picked fits together, unless even the smallest model alone does not."""
    picked = pick(found, memory)
    if picked and len(picked.models) > 1:
        assert sum(model.size_bytes for model in picked.models) <= memory * 0.75


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("", OLLAMA_URL),
        ("0.0.0.0", OLLAMA_URL),
        ("0.0.0.0:8080", "http://127.0.0.1:8080"),
        (":8080", "http://127.0.0.1:8080"),
        ("box.lan", "http://box.lan:11434"),
        ("http://box.lan", "http://box.lan:80"),
        ("https://me:word@box.lan/ollama/", "https://box.lan:443/ollama"),
        ("[::1]:11434", "http://[::1]:11434"),
        ("box:not-a-port", OLLAMA_URL),
        ("http://[half", OLLAMA_URL),
    ],
)
def test_ollamas_own_variable_is_understood(host, url):
    """OLLAMA_HOST means to us what it means to Ollama's own client."""
    assert ollama_url(host) == url
