"""What came of asking models to call tools."""

from dataclasses import replace

from noctule.core.proofs import Proof, ProofKey
from storage.memory.records import stored
from storage.memory.transaction import MemoryTransaction
from storage.stores.proofs import in_order


class MemoryProofs:
    """What came of asking models to call tools."""

    def __init__(self, transaction: MemoryTransaction) -> None:
        self._transaction = transaction

    async def put(self, proof: Proof) -> None:
        """Store or replace the proof of its key."""
        tables = await self._transaction.writing("proofs")
        tables.proofs[proof.key] = stored(proof)

    async def get(self, key: ProofKey) -> Proof | None:
        """Return one proof; None when that version was never probed."""
        return (await self._transaction.reading()).proofs.get(key)

    async def list(self) -> list[Proof]:
        """Return every proof, in order of endpoint, model and time."""
        return in_order(list((await self._transaction.reading()).proofs.values()))

    async def count(self, key: ProofKey, *, imitations: int = 0, calls: int = 0) -> Proof | None:
        """Add what was seen at work to a proof and return it; None when there is none."""
        tables = await self._transaction.writing("proofs")
        proof = tables.proofs.get(key)
        if proof is None:
            return None
        counted = replace(
            proof, imitations=proof.imitations + imitations, calls=proof.calls + calls
        )
        tables.proofs[key] = counted
        return counted
