from langchain_core.messages import HumanMessage

from noctule.models.base.client import ModelRequest
from noctule.models.spend.budgets import TELL_BEFORE_LEAVING
from noctule.models.wire.sending import told_before_leaving
from tests.support.every_client import MODEL, every_client
from tests.support.provider import Provider


def request() -> ModelRequest:
    return ModelRequest(MODEL, [HumanMessage("hello")], total_s=60)


async def test_every_client_tells_once_before_its_request_leaves() -> None:
    """Whole or streamed: nobody was asked yet when it is told, and no request goes untold."""
    wrong = []
    async with Provider() as provider, every_client(provider) as clients:
        for kind, client in clients.items():
            for streamed in (False, True):
                asked: list[int] = []

                async def tell(asked: list[int] = asked) -> None:
                    asked.append(len(provider.requests))

                before = len(provider.requests)
                with told_before_leaving(tell):
                    if streamed:
                        assert [piece async for piece in client.stream(request())]
                    else:
                        await client.answer(request())
                if asked != [before] or len(provider.requests) != before + 1:
                    wrong.append((kind, streamed, asked, len(provider.requests) - before))
    assert not wrong
    assert {kind.value for kind in TELL_BEFORE_LEAVING} <= set(clients)


async def test_a_request_that_cannot_be_noted_does_not_leave() -> None:
    """What the listener raises ends the call before anybody is asked."""
    sent = []

    async def refuse() -> None:
        raise RuntimeError

    async with Provider() as provider, every_client(provider) as clients:
        for kind, client in clients.items():
            try:
                with told_before_leaving(refuse):
                    await client.answer(request())
            except Exception:  # noqa: BLE001 - each library wraps it in its own way
                pass
            else:
                sent.append(kind)
        assert not provider.requests
    assert not sent


async def test_a_connection_that_is_never_made_is_never_told() -> None:
    """A closed port costs nothing: no request leaves."""
    told: list[str] = []
    async with Provider() as provider:
        gone = provider
    async with every_client(gone) as clients:
        for kind, client in clients.items():

            async def tell(kind: str = kind) -> None:
                told.append(kind)

            try:
                with told_before_leaving(tell):
                    await client.answer(request())
            except Exception:  # noqa: BLE001 - each library raises its own
                pass
            else:
                told.append(f"{kind} answered")
    assert not told
