import pytest

from noctule.core.clock import SystemClock
from noctule.core.llm.proofs import ProofOutcome
from noctule.models.binding.models import Models
from noctule.models.embedded.weights import PACKAGED_SHA256
from noctule.models.spend.prices import Prices
from tests.support.scratch import scratch_database
from tests.support.stage import make_settings

pytestmark = [pytest.mark.embedded, pytest.mark.timeout(600)]


async def test_the_packaged_model_is_asked_and_does_not_call_tools():
    """SmolLM2-135M gets a verdict from its own replies, and keeps it for its weights."""
    settings = make_settings(
        endpoints={"here": {"kind": "embedded"}},
        models={"first": {"thinking": False}},
        limits={"call_timeout": "150s"},
    )
    database = scratch_database()
    price = Prices(settings.endpoints, settings.models).cost
    models = Models(settings, database, SystemClock(), price=price)
    try:
        [proved] = await models.prove(["first"])
    finally:
        await models.close()
    proof = proved.proof
    assert proof is not None
    assert proof.key.version == f"sha256:{PACKAGED_SHA256}"
    assert proof.outcome is not ProofOutcome.PROVEN
    assert proof.outcome is not ProofOutcome.REFUSED_BY_SERVER
    assert len(proof.cases) >= 2
    assert all(case["said"] for case in proof.cases)
    assert proof.latency_s is not None
