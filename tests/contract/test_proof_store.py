from dataclasses import replace

from noctule.core.llm.proofs import ProofKey, ProofOutcome
from noctule.core.ports.database import Database
from tests.support.stored_records import a_proof, later


async def test_a_proof_comes_back_as_it_was_stored(database: Database) -> None:
    """Every field survives, of one that was answered and of one that was not."""
    bare = a_proof(
        ProofKey("local", "qwen", ""), outcome=ProofOutcome.IGNORED, latency_s=None, cases=()
    )
    async with database.work() as work:
        for proof in (a_proof(), bare):
            await work.proofs.put(proof)
        await work.commit()
    async with database.read() as work:
        assert await work.proofs.get(a_proof().key) == a_proof()
        assert await work.proofs.get(bare.key) == bare
        assert await work.proofs.get(ProofKey("local", "qwen", "other")) is None


async def test_a_new_probe_replaces_the_proof_of_its_key(database: Database) -> None:
    """And starts counting anew."""
    again = a_proof(outcome=ProofOutcome.TEXT_IMITATION, imitations=0, calls=0, cases=())
    async with database.work() as work:
        await work.proofs.put(a_proof())
        await work.proofs.put(again)
        assert await work.proofs.list() == [again]


async def test_what_is_seen_at_work_is_added(database: Database) -> None:
    """To the proof there is; None where there is none."""
    key = a_proof().key
    async with database.work() as work:
        await work.proofs.put(a_proof(imitations=1, calls=12))
        await work.proofs.count(key, calls=1)
        counted = await work.proofs.count(key, imitations=2, calls=1)
        assert counted == await work.proofs.get(key) == a_proof(imitations=3, calls=14)
        assert await work.proofs.count(replace(key, version="next"), calls=1) is None
        assert len(await work.proofs.list()) == 1


async def test_proofs_come_in_order_of_endpoint_model_and_time(database: Database) -> None:
    """Capital letters first, as everywhere."""
    ordered = [
        a_proof(ProofKey("Z", "a", "1")),
        a_proof(ProofKey("a", "a", "2"), probed_at=later(1)),
        a_proof(ProofKey("a", "a", "1"), probed_at=later(2)),
        a_proof(ProofKey("a", "b", "1")),
    ]
    async with database.work() as work:
        for proof in reversed(ordered):
            await work.proofs.put(proof)
        assert await work.proofs.list() == ordered
