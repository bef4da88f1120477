"""What came of asking models to call tools."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from noctule.core.llm.proofs import Proof, ProofKey
from storage.base.transaction import Transaction
from storage.base.upsert import upsert
from storage.tables import proofs

_PUT = upsert(proofs)
_SELECT = sa.select(proofs)
_ONE = (
    proofs.c.endpoint == sa.bindparam("of_endpoint"),
    proofs.c.model == sa.bindparam("of_model"),
    proofs.c.version == sa.bindparam("of_version"),
)
_GET = _SELECT.where(*_ONE)
_COUNT = (
    proofs.update()
    .where(*_ONE)
    .values(
        imitations=proofs.c.imitations + sa.bindparam("more_imitations"),
        calls=proofs.c.calls + sa.bindparam("more_calls"),
    )
)
_KEY = ("endpoint", "model", "version")
_PLAIN = tuple(c.name for c in proofs.columns if c.name not in {*_KEY, "cases"})


class SqlProofs:
    """What came of asking models to call tools."""

    __slots__ = ("_transaction",)

    def __init__(self, transaction: Transaction) -> None:
        self._transaction = transaction

    async def put(self, proof: Proof) -> None:
        """Store or replace the proof of its key."""
        await self._transaction.run(_put, proof)

    async def get(self, key: ProofKey) -> Proof | None:
        """Return one proof; None when that version was never probed."""
        return await self._transaction.run(_get, key)

    async def list(self) -> list[Proof]:
        """Return every proof, in order of endpoint, model and time."""
        return await self._transaction.run_long(_list)

    async def count(self, key: ProofKey, *, imitations: int = 0, calls: int = 0) -> Proof | None:
        """Add what was seen at work to a proof and return it; None when there is none."""
        return await self._transaction.run(_count, key, imitations, calls)


def in_order(found: list[Proof]) -> list[Proof]:
    """Return proofs in order of endpoint, model and time.

    Sorted here: the two databases would order names by different alphabets.
    """
    return sorted(found, key=lambda p: (p.key.endpoint, p.key.model, p.probed_at, p.key.version))


def _put(connection: Connection, proof: Proof) -> None:
    values: dict[str, Any] = {name: getattr(proof, name) for name in _PLAIN}
    values |= {name: getattr(proof.key, name) for name in _KEY}
    values["cases"] = [dict(case) for case in proof.cases]
    connection.execute(_PUT[connection.dialect.name], values)


def _get(connection: Connection, key: ProofKey) -> Proof | None:
    row = connection.execute(_GET, _named(key)).first()
    return None if row is None else _proof(row)


def _list(connection: Connection) -> list[Proof]:
    return in_order([_proof(row) for row in connection.execute(_SELECT)])


def _count(connection: Connection, key: ProofKey, imitations: int, calls: int) -> Proof | None:
    more = {"more_imitations": imitations, "more_calls": calls}
    connection.execute(_COUNT, {**_named(key), **more})
    return _get(connection, key)


def _named(key: ProofKey) -> dict[str, str]:
    return {f"of_{name}": getattr(key, name) for name in _KEY}


def _proof(row: sa.Row[Any]) -> Proof:
    values = {name: getattr(row, name) for name in _PLAIN}
    key = ProofKey(row.endpoint, row.model, row.version)
    return Proof(key=key, cases=tuple(row.cases), **values)
