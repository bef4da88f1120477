"""Where work comes in: new sessions and turns, and what people order for them.

The service only writes rows. Whoever works (a worker, or the command itself) sees them through
the database, so that it is all the same from which process an order came.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from noctule.core.base.ids import new_id
from noctule.core.base.masking import Masker
from noctule.core.clock import Clock
from noctule.core.errors import UsageError
from noctule.core.llm.events import EventKind
from noctule.core.llm.limits import LimitKey
from noctule.core.ports.database import Database, UnitOfWork
from noctule.core.ports.wake_queue import wake_all
from noctule.core.sessions.grants import Grant
from noctule.core.sessions.lifecycle import Status
from noctule.core.sessions.questions import Question
from noctule.core.sessions.sessions import LOCAL_OWNER, Order, Session, SessionKind, Turn
from noctule.core.sessions.steers import Steer
from noctule.core.settings import OnLimit, Settings
from noctule.core.tools.outside_text import holds_data, own_words, reads_others
from noctule.sessions.service.answers import answer
from noctule.sessions.service.budget_changes import raise_run
from noctule.sessions.service.grants import check_rules, grant_all, revoke
from noctule.sessions.service.steering import steer
from noctule.sessions.service.validation import check_model, check_role, check_text
from noctule.sessions.service.workspaces import accepted_workspace, check_has_workspace

_TITLE_CHARS = 60
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Request:
    """What a person wants done.

    Args:
        text: what they said.
        kind: which kind of session is opened when none is named.
        session_id: an existing session, or a unique beginning of its id; None opens a new one.
        role: the role they chose; None leaves it to the route.
        model: the model they chose; None leaves it to the binding.
        private: True keeps a new session, or this turn of an old one, on local models.
        on_limit: what to do at a limit; None leaves it to the binding.
        not_before: when it may start; None means at once.
        owner: whose a new session is.
        budget_usd: the most the session may spend in all, in USD; None leaves it as it is.
        allow: rules of what its agents may do without asking, like ``web`` or ``shell:git push*``;
            they hold until the session ends.
        workspace: the folder a new session's agents work in, absolute; None makes one of its own.
        begin_as: the id a new session gets, when files were put into its workspace before; None
            makes one.
        origin: the message of a messenger it comes from: submitted again it makes no second turn.
            None when it comes another way.
        attachments: files the person sent along, relative to the session's workspace.
    """

    text: str
    kind: SessionKind = SessionKind.CHAT
    session_id: str | None = None
    role: str | None = None
    model: str | None = None
    private: bool = False
    on_limit: OnLimit | None = None
    not_before: datetime | None = None
    owner: str = LOCAL_OWNER
    budget_usd: Decimal | None = None
    allow: tuple[str, ...] = ()
    workspace: str | None = None
    begin_as: str | None = None
    origin: str | None = None
    attachments: tuple[str, ...] = ()


class SessionService:
    """Takes requests and orders.

    Args:
        settings: what roles and models there are, and how much may be taken.
        database: where everything is written.
        clock: the time.
        home: the data folder, which no workspace may overlap with; None where there is none.
    """

    def __init__(
        self, settings: Settings, database: Database, clock: Clock, *, home: Path | None = None
    ) -> None:
        self._settings = settings
        self._database = database
        self._clock = clock
        self._home = home

    def use(self, settings: Settings) -> None:
        """Take over a configuration: what is asked from now on is held against it."""
        self._settings = settings

    async def submit(self, request: Request) -> Turn:
        """Store a request as the next turn of its session.

        Raises:
            UsageError: the request cannot be met as it stands, or too much is unfinished.
            NotFoundError: the session does not exist.
        """
        self._check(request)
        async with self._database.work() as work:
            if request.origin is not None:
                known = await work.turns.by_origin(request.origin)
                if known is not None:
                    return known
            await self._check_room(work)
            session = await self._session(work, request)
            turn = Turn(
                id=new_id(self._clock),
                session_id=session.id,
                text=request.text,
                status=Status.QUEUED,
                created_at=self._clock.now(),
                role=request.role,
                model=request.model,
                private=request.private,
                on_limit=request.on_limit,
                wake_at=request.not_before,
                origin=request.origin,
                attachments=request.attachments,
            )
            await work.turns.add(turn)
            await _mark(work, turn, turn.text)
            data = {"text": turn.text}
            await work.events.append(
                session.id, turn.id, [(EventKind.TURN_QUEUED, data)], at=self._clock.now()
            )
            await work.commit()
        return turn

    async def reword(self, turn_id: str, text: str) -> bool:
        """Change what was said while nobody has read it; return False when that is too late.

        Raises:
            UsageError: the new text cannot be taken.
        """
        check_text(text, "message", self._settings)
        async with self._database.work() as work:
            changed = await work.turns.reword(turn_id, text)
            if changed:
                await _mark(work, await work.turns.get(turn_id), text)
            await work.commit()
        return changed

    async def cancel(self, session_id: str) -> list[Turn]:
        """Order the end of every unfinished turn of a session; return those turns.

        A turn that runs ends within a second; one that does not is ended here.
        """
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            turns = [t for t in await work.turns.of_session(session.id) if not t.status.finished]
            for turn in turns:
                await self._cancel(work, turn)
            await work.commit()
        return turns

    async def stop(self, turn_id: str) -> None:
        """Order the end of one turn; earlier ones of its session that sleep go on sleeping."""
        async with self._database.work() as work:
            turn = await work.turns.get(turn_id)
            if not turn.status.finished:
                await self._cancel(work, turn)
            await work.commit()

    async def rename(self, session_id: str, title: str) -> Session:
        """Give a session another title, and return it.

        Raises:
            UsageError: the title is empty or too long.
        """
        title = Masker().mask(" ".join(title.split()))
        if not title or len(title) > _LONGEST_TITLE:
            raise UsageError(f"A title has 1 to {_LONGEST_TITLE} characters.")
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            await work.sessions.set_title(session.id, title)
            await work.commit()
        return replace(session, title=title)

    async def remove(self, session_id: str) -> Session:
        """Delete a session whose turns have all ended, and return what it was.

        Its checkpoints and its folder are left to the caller; the ledger keeps what it cost.

        Raises:
            UsageError: something of it is unfinished.
        """
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            turn = await work.turns.oldest_unfinished(session.id)
            if turn is not None:
                raise UsageError(
                    f"Session {session.id} is {turn.status.value} and cannot be deleted. End it "
                    f"first: `noctule sessions cancel {session.id}`."
                )
            await work.sessions.remove(session.id)
            await work.commit()
        return session

    async def park(self, session_id: str) -> Turn:
        """Order the running turn of a session to sleep until somebody resumes it.

        Raises:
            UsageError: nothing of it runs.
        """
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            turn = await work.turns.oldest_unfinished(session.id)
            if turn is None or turn.status is not Status.RUNNING:
                status = "idle" if turn is None else turn.status.value
                raise UsageError(
                    f"Session {session.id} is {status}: only a running one can be parked. "
                    "`noctule sessions` lists what runs."
                )
            await work.turns.order(turn.id, Order.PARK)
            await work.commit()
        return turn

    async def resume(self, session_id: str, model: str | None = None) -> Turn:
        """Let a parked, waiting or failed session go on now.

        Args:
            session_id: which, or a unique beginning of its id.
            model: go on with this model; None keeps what was chosen.

        Raises:
            UsageError: there is nothing to resume, or no such model.
        """
        check_model(model, self._settings, private=False)
        now = self._clock.now()
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            turn = await self._resumable(work, session)
            if model is not None:
                await work.turns.choose_model(turn.id, model)
            if turn.status is Status.FAILED:
                turn = await work.turns.move(turn.id, Status.QUEUED, at=now)
            else:
                sleeping = await work.parkings.open_of_turn(turn.id)
                if model is None:  # the person says that the model may be asked: so it is
                    await self._clear(work, [parking.key for parking in sleeping])
                await work.parkings.reschedule([parking.id for parking in sleeping], now)
                await work.turns.wake_at(turn.id, now)
            await work.commit()
        return replace(turn, model=model or turn.model)

    async def clear_limits(self, endpoint: str | None = None) -> int:
        """Forget what is refused and let everybody who sleeps on it go on; return how many limits.

        Args:
            endpoint: only this endpoint's; None means all.
        """
        async with self._database.work() as work:
            limits = [
                limit
                for limit in await work.limits.list()
                if endpoint is None or limit.key.endpoint == endpoint
            ]
            await work.parkings.line_up([limit.key for limit in limits])
            await self._clear(work, [limit.key for limit in limits])
            for limit in limits:
                await wake_all(work, limit.key, self._clock.now())
            await work.commit()
        return len(limits)

    async def set_budget(self, session_id: str, usd: Decimal | None) -> Session:
        """Bound what a session may spend in all, and let it go on if it sleeps on its bound.

        Args:
            session_id: which, or a unique beginning of its id.
            usd: in USD; None takes the bound away.
        """
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            await raise_run(work, session.id, usd, self._clock.now())
            await work.commit()
        return replace(session, budget_usd=usd)

    async def answer(self, question_id: str, said: str, *, by: str = LOCAL_OWNER) -> Question:
        """Store a person's answer, and let the branch that waits for it go on now.

        An approval for the session or for always is stored as a grant too.

        Args:
            question_id: which, or a unique beginning of its id.
            said: a choice, its number, or free text where the question takes it.
            by: who answers; the session's owner, or ``local``.

        Raises:
            NotFoundError: there is no such question.
            UsageError: it was answered before, is somebody else's or over, or takes no such answer.
        """
        check_text(said, "answer", self._settings)
        async with self._database.work() as work:
            question = await answer(work, self._clock, question_id, said, by=by)
            await work.commit()
        return question

    async def questions(
        self, *, session_id: str | None = None, owner: str | None = None
    ) -> list[Question]:
        """Return what turns wait to hear, oldest first; None means no such restriction."""
        async with self._database.read() as work:
            return await work.questions.open(session_id=session_id, owner=owner)

    async def steer(self, name: str, text: str, *, by: str = LOCAL_OWNER) -> Steer:
        """Say something to a turn while it works; its loop reads it before its next step.

        Args:
            name: a turn, or a session, whose oldest unfinished turn is meant.
            text: what is said.
            by: who says it; the session's owner, or ``local``.

        Raises:
            NotFoundError: there is neither.
            UsageError: it is somebody else's, or nothing of it is unfinished.
        """
        check_text(text, "remark", self._settings)
        async with self._database.work() as work:
            remark = await steer(work, self._clock, name, text, by=by)
            await work.commit()
        return remark

    async def allow_run(self, session_id: str, rules: tuple[str, ...]) -> bool:
        """Allow rules for a piece of work that was submitted; return False when it has ended.

        Raises:
            UsageError: one of them allows nothing, or is forbidden by the configuration.
        """
        check_rules(rules, self._settings)
        async with self._database.work() as work:
            session = await work.sessions.get(session_id)
            if await work.turns.oldest_unfinished(session.id) is None:
                return False
            await grant_all(work, self._clock, session, rules, for_run=True)
            await work.commit()
        return True

    async def grants(self, owner: str | None = None) -> list[Grant]:
        """Return what people allowed beyond the configuration; None means of everybody."""
        async with self._database.read() as work:
            return await work.grants.list(owner)

    async def revoke(self, grant_id: str, *, owner: str | None = None) -> Grant:
        """Take a grant back and return it; None means whosever it is.

        Raises:
            NotFoundError: no grant begins like that, or several do.
        """
        async with self._database.work() as work:
            grant = await revoke(work, grant_id, owner=owner)
            await work.commit()
        return grant

    async def _clear(self, work: UnitOfWork, keys: Iterable[LimitKey | None]) -> None:
        for key in set(keys):
            if key is not None:
                await work.limits.clear(key)

    def _check(self, request: Request) -> None:
        check_text(request.text, "message", self._settings)
        check_role(request.role)
        check_model(request.model, self._settings, private=request.private)
        check_rules(request.allow, self._settings)

    async def _check_room(self, work: UnitOfWork) -> None:
        most = self._settings.parking.max_unfinished
        count = await work.turns.count_unfinished()
        if count >= most:
            raise UsageError(
                f"{count} turns are queued or asleep and at most {most} may be "
                "(parking.max_unfinished). `noctule sessions` lists them; cancel some, or wait."
            )

    async def _session(self, work: UnitOfWork, request: Request) -> Session:
        if request.session_id is not None:
            session = await work.sessions.get(request.session_id)
            if request.owner not in {session.owner, LOCAL_OWNER}:
                raise UsageError("That session belongs to someone else.")
            if request.budget_usd is not None:
                await raise_run(work, session.id, request.budget_usd, self._clock.now())
            check_has_workspace(session, request.workspace)
            await self._grant(work, session, request)
            return session
        session = Session(
            id=request.begin_as or new_id(self._clock),
            owner=request.owner,
            kind=request.kind,
            title=title_of(request.text),
            created_at=self._clock.now(),
            private=request.private,
            budget_usd=request.budget_usd,
            workspace=accepted_workspace(request.workspace, self._home),
        )
        await work.sessions.add(session)
        await self._grant(work, session, request)
        return session

    async def _grant(self, work: UnitOfWork, session: Session, request: Request) -> None:
        for_run = request.kind is SessionKind.RUN
        await grant_all(work, self._clock, session, request.allow, for_run=for_run)

    async def _cancel(self, work: UnitOfWork, turn: Turn) -> None:
        if turn.status is Status.RUNNING:
            await work.turns.order(turn.id, Order.CANCEL)
        else:
            await self._cancel_resting(work, turn)

    async def _cancel_resting(self, work: UnitOfWork, turn: Turn) -> None:
        now = self._clock.now()
        await work.turns.move(turn.id, Status.CANCELLED, at=now, error="Cancelled by hand.")
        await work.parkings.close_turn(turn.id, woken_at=now)
        data = {"status": Status.CANCELLED.value, "error": "Cancelled by hand."}
        await work.events.append(turn.session_id, turn.id, [(EventKind.TURN_ENDED, data)], at=now)

    async def _resumable(self, work: UnitOfWork, session: Session) -> Turn:
        turn = await work.turns.oldest_unfinished(session.id)
        if turn is not None and turn.status in {Status.PARKED, Status.WAITING}:
            return turn
        if turn is None:
            turns = await work.turns.of_session(session.id)
            if turns and turns[-1].status is Status.FAILED:
                return turns[-1]
        status = "finished" if turn is None else turn.status.value
        raise UsageError(
            f"Session {session.id} is {status}: there is nothing to resume. "
            f"`noctule chat --session {session.id}` says something new."
        )


async def _mark(work: UnitOfWork, turn: Turn, text: str) -> None:
    """Note of a session that whoever reads what was said reads what others wrote."""
    if reads_others(text, turn.attachments):
        await work.sessions.mark_outside(turn.session_id, turn.created_at)
        await work.sessions.mark_private(turn.session_id, turn.created_at)


def title_of(text: str) -> str:
    """Return a few words that tell a session from others: the first line of the person's own.

    Masked, and cut at a word. What others wrote is no title: that stands in lists and prompts.
    """
    own = own_words(text).strip()
    if not own and holds_data(text):
        return "(passed on, without words of your own)"
    line = " ".join(Masker().mask(own.split("\n", 1)[0]).split())
    if len(line) <= _TITLE_CHARS:
        return line or "(untitled)"
    return line[:_TITLE_CHARS].rsplit(" ", 1)[0] + " …"
