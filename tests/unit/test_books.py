from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from noctule.core.budgets.budget_ledger import (
    BudgetLedger,
    HoldPlaced,
    MustWait,
    OverBudget,
    Settled,
)
from noctule.core.budgets.budgets import BudgetKey, BudgetUsage, Hold, HoldState, frees_at
from noctule.core.times.windows import WindowKind
from tests.support.budget_records import HOUR, a_bill, a_budget, a_claim
from tests.support.stored_records import NOON, later

DAILY = a_budget()
KEY = DAILY.key


def reopened(books: BudgetLedger, at, **changes) -> BudgetLedger:
    """Return books as they are read again later."""
    return BudgetLedger(at, books.tallies, books.kept.values(), **changes)


def test_a_call_is_paid_for_when_everything_held_and_spent_leaves_room() -> None:
    """0.40 + 0.60 fit into a dollar, another cent waits, and is refused once all is spent."""
    books = BudgetLedger(NOON, [])
    assert books.place(a_claim("a", "0.40")) == HoldPlaced()
    assert books.place(a_claim("b", "0.60")) == HoldPlaced()
    assert books.place(a_claim("c", "0.01")) == MustWait(DAILY)
    books.settle(a_bill("a", "0.40"))
    assert books.place(a_claim("c", "0.01")) == MustWait(DAILY)
    books.settle(a_bill("b", "0.60"))
    refused = books.place(a_claim("c", "0.01"))
    assert isinstance(refused, OverBudget)
    assert frees_at(DAILY, refused.tally, Decimal("0.01"), [], NOON) == NOON + HOUR


def test_what_a_hold_did_not_need_is_free_again() -> None:
    """Nine tenths held, a tenth spent: the next nine tenths fit."""
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.90"))
    assert books.settle(a_bill("a", "0.10")) == Settled()
    assert books.place(a_claim("b", "0.90")) == HoldPlaced()
    assert books.open(DAILY).held_usd == Decimal("0.90")
    assert books.open(DAILY).settled_usd == Decimal("0.10")


def test_a_call_that_fits_in_no_window_never_gets_a_time() -> None:
    """Two dollars never fit into one: no reset cures that."""
    books = BudgetLedger(NOON, [])
    refused = books.place(a_claim("a", "2"))
    assert isinstance(refused, OverBudget)
    assert frees_at(DAILY, refused.tally, Decimal(2), [], NOON) is None


def test_either_every_budget_pays_or_none_is_touched() -> None:
    """A hold on two budgets is not placed on the one when the other refuses."""
    small = a_budget("small", "0.10")
    books = BudgetLedger(NOON, [])
    assert isinstance(books.place(a_claim("a", "0.20", DAILY, small)), OverBudget)
    assert books.open(DAILY).held_usd == 0
    assert not books.kept


def test_a_claim_that_is_placed_twice_is_held_once() -> None:
    """As when the answer to the commit that placed it was lost, and it is placed again."""
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.90"))
    again = reopened(books, NOON)
    assert again.place(a_claim("a", "0.90")) == HoldPlaced()
    assert again.open(DAILY).held_usd == Decimal("0.90")


def test_a_bill_that_comes_twice_is_paid_once() -> None:
    """A cancelled caller and the rescue of its hold may both settle."""
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.50"))
    books.settle(a_bill("a", "0.30"))
    books.settle(a_bill("a", "0.30"))
    assert books.open(DAILY).settled_usd == Decimal("0.30")


def test_billing_above_the_bound_is_recorded_and_said() -> None:
    """A provider takes 0.70 where 0.50 was the most: the difference is on record."""
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.50"))
    assert books.settle(a_bill("a", "0.70")) == Settled(Decimal("0.20"))
    assert books.open(DAILY).over_usd == Decimal("0.20")


def test_a_new_window_begins_at_nothing_but_keeps_what_is_held() -> None:
    """A call under way across the turn counts where it settles."""
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.60", most=3 * HOUR))
    books.place(a_claim("b", "0.40"))
    books.settle(a_bill("b", "0.40"))
    books = reopened(books, NOON + HOUR)
    tally = books.open(DAILY)
    assert (tally.number, tally.settled_usd, tally.held_usd) == (2, 0, Decimal("0.60"))
    assert books.place(a_claim("c", "0.50")) == MustWait(DAILY)
    books.settle(a_bill("a", "0.60"))
    assert books.open(DAILY).settled_usd == Decimal("0.60")


def test_the_hold_of_a_dead_process_counts_as_spent() -> None:
    """Nobody knows what became of its call, so the bound is taken; a late bill corrects it."""
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.60"))
    books = reopened(books, later(360))
    tally = books.open(DAILY)
    assert (tally.held_usd, tally.settled_usd) == (0, Decimal("0.60"))
    assert tally.recovered_usd == Decimal("0.60")
    books = reopened(books, later(400))
    books.settle(a_bill("a", "0.10"))
    tally = books.open(DAILY)
    assert (tally.settled_usd, tally.recovered_usd) == (Decimal("0.10"), 0)


def test_money_comes_back_bit_by_bit_to_a_rolling_window() -> None:
    """0.50 at noon and 0.50 at half past: 0.40 more fit when the first half leaves, at one."""
    rolling = a_budget(kind=WindowKind.ROLLING)
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "0.50", rolling))
    books.settle(a_bill("a", "0.50", rolling))
    books = reopened(books, later(1800))
    books.place(a_claim("b", "0.50", rolling))
    books.settle(a_bill("b", "0.50", rolling))
    refused = books.place(a_claim("c", "0.40", rolling))
    assert isinstance(refused, OverBudget)
    spent = [
        Hold("a", KEY, Decimal("0.50"), HoldState.SPENT, NOON, NOON),
        Hold("b", KEY, Decimal("0.50"), HoldState.SPENT, later(1800), NOON),
    ]
    assert frees_at(rolling, refused.tally, Decimal("0.40"), spent, later(1800)) == NOON + HOUR
    assert frees_at(rolling, refused.tally, Decimal("0.60"), spent, later(1800)) == later(5400)
    books = BudgetLedger(NOON + HOUR, books.tallies, spent[:1])
    assert books.place(a_claim("c", "0.40", rolling)) == HoldPlaced()


def test_a_warning_comes_once_a_window() -> None:
    """From eighty cents on calls are told that money is low; one of them tells the person."""
    warns = a_budget(warn_usd=Decimal("0.80"))
    books = BudgetLedger(NOON, [])
    assert books.place(a_claim("a", "0.50", warns)) == HoldPlaced()
    second = books.place(a_claim("b", "0.30", warns))
    assert isinstance(second, HoldPlaced)
    assert [tally.key for tally in second.warns] == [KEY]
    third = books.place(a_claim("c", "0.10", warns))
    assert isinstance(third, HoldPlaced)
    assert ([tally.key for tally in third.low], third.warns) == ([KEY], ())


def test_a_clock_that_was_ahead_gives_no_second_budget() -> None:
    """Set back by a day, the window is the present one and what was spent stays spent."""
    books = BudgetLedger(NOON + timedelta(days=1), [])
    books.place(a_claim("a", "1"))
    books.settle(a_bill("a", "1"))
    books = reopened(books, NOON)
    tally = books.open(DAILY)
    assert (tally.number, tally.settled_usd) == (1, 1)
    assert (tally.started_at, tally.ends_at) == (NOON, NOON + HOUR)
    assert books.place(a_claim("b", "1")) != HoldPlaced()


def test_a_hold_from_the_future_is_drawn_back() -> None:
    """After the clock was set back a dead process's hold still expires minutes later."""
    ahead = NOON + timedelta(days=365)
    books = BudgetLedger(ahead, [])
    books.place(a_claim("a", "1", at=ahead))
    books = reopened(books, NOON)
    books.open(DAILY)
    books = reopened(books, later(360))
    assert books.open(DAILY).recovered_usd == 1


def test_another_kind_of_window_keeps_what_was_spent() -> None:
    """Made rolling, a budget gets it back a window later; made to turn again, at the turn."""
    rolling = a_budget(kind=WindowKind.ROLLING)
    books = BudgetLedger(
        NOON, [BudgetUsage(KEY, Decimal(1), 3, NOON, NOON + HOUR, settled_usd=Decimal(1))]
    )
    assert isinstance(books.place(a_claim("a", "1", rolling)), OverBudget)
    carried = list(books.kept.values())
    later_books = BudgetLedger(NOON + HOUR, books.tallies, carried)
    assert later_books.place(a_claim("a", "1", rolling)) == HoldPlaced()
    back = BudgetLedger(later(60), books.tallies, carried)
    assert back.open(DAILY).settled_usd == 1
    assert (carried[0].id, KEY) in back.gone


def test_a_budget_without_a_window_never_turns() -> None:
    """That of a run is there once."""
    run = a_budget("--budget")
    run = type(run)(BudgetKey("--budget", "s1"), Decimal(1), None)
    books = BudgetLedger(NOON, [])
    books.place(a_claim("a", "1", run))
    books.settle(a_bill("a", "1", run))
    refused = reopened(books, NOON + timedelta(days=900)).place(a_claim("b", "0.01", run))
    assert isinstance(refused, OverBudget)
    assert frees_at(run, refused.tally, Decimal("0.01"), [], NOON) is None


def test_a_hold_whose_request_never_left_counts_nothing() -> None:
    """Its process died before a byte went out: the money is free again, and sleepers are told."""
    claim = replace(a_claim("a", "0.60"), sent=False)
    books = BudgetLedger(NOON, [])
    assert books.place(claim) == HoldPlaced()
    late = reopened(books, later(3000))
    tally = late.open(DAILY)
    assert (tally.held_usd, tally.settled_usd, tally.recovered_usd) == (0, 0, 0)
    assert late.freed == {KEY}
    assert late.gone == {("a", KEY)}


def test_a_hold_counts_from_the_moment_in_which_its_request_leaves() -> None:
    """Placed again as sent it reserves nothing more, and is recovered in full."""
    claim = replace(a_claim("a", "0.60"), sent=False)
    books = BudgetLedger(NOON, [])
    books.place(claim)
    books.place(replace(claim, sent=True))
    assert books.open(DAILY).held_usd == Decimal("0.60")
    tally = reopened(books, later(3000)).open(DAILY)
    assert (tally.settled_usd, tally.recovered_usd) == (Decimal("0.60"), Decimal("0.60"))


def test_whoever_was_held_up_for_too_long_is_paid_for_anew_or_refused() -> None:
    """The money of a frozen process went to others: its request does not leave without any."""
    claim = replace(a_claim("a", "0.60"), sent=False)
    books = BudgetLedger(NOON, [])
    books.place(claim)
    books = reopened(books, later(3000))
    assert books.place(a_claim("b", "0.60", at=later(3000))) == HoldPlaced()
    assert books.place(replace(claim, sent=True)) == MustWait(DAILY)


def test_what_died_is_forgiven_and_what_was_billed_stays() -> None:
    """Sixty cents of a dead call come back, ten that a provider reported do not."""
    for kind in (WindowKind.FIRST_USE, WindowKind.ROLLING):
        budget = a_budget(kind=kind)
        books = BudgetLedger(NOON, [])
        books.place(a_claim("paid", "0.20", budget))
        books.settle(a_bill("paid", "0.10", budget))
        books.place(a_claim("dead", "0.60", budget))
        books = reopened(books, later(1000))
        assert books.forgive(budget) == (Decimal("0.60"), 1)
        assert books.forgive(budget) == (0, 0)
        tally = books.open(budget)
        assert (tally.settled_usd, tally.recovered_usd, tally.held_usd) == (Decimal("0.10"), 0, 0)
        assert books.freed == {KEY}
        # It was alive after all: what it reports counts, and nothing was billed above a bound.
        assert books.settle(a_bill("dead", "0.30", budget)) == Settled()
        tally = books.open(budget)
        assert (tally.settled_usd, tally.recovered_usd) == (Decimal("0.40"), 0)
        assert tally.over_usd == 0


def test_what_a_budget_without_a_window_spent_leaves_it_once_it_is_rolling() -> None:
    """It goes a window later, and only once: a hold that was recovered goes by itself."""
    rolling = a_budget(kind=WindowKind.ROLLING)
    whole = type(rolling)(KEY, Decimal(1), None)
    books = BudgetLedger(NOON, [])
    books.place(a_claim("paid", "0.60", whole))
    books.settle(a_bill("paid", "0.60", whole))
    books.place(a_claim("dead", "0.40", whole))
    books = reopened(books, later(7 * 60))
    assert books.open(whole).recovered_usd == Decimal("0.40")
    rolled = BudgetLedger(later(7 * 60), books.tallies, books.kept.values())
    assert rolled.open(rolling).settled_usd == 1
    holds = {**books.kept, **rolled.kept}
    over = BudgetLedger(later(7 * 60) + HOUR, rolled.tallies, holds.values()).open(rolling)
    assert (over.settled_usd, over.recovered_usd) == (0, 0)


def test_what_a_rolling_budget_spent_stays_spent_once_it_has_no_window() -> None:
    """Its holds go, and made rolling again it gives back what it has spent and not a cent more."""
    rolling = a_budget(kind=WindowKind.ROLLING)
    whole = type(rolling)(KEY, Decimal(1), None)
    books = BudgetLedger(NOON, [])
    books.place(a_claim("paid", "0.60", rolling))
    books.settle(a_bill("paid", "0.60", rolling))
    changed = BudgetLedger(later(60), books.tallies)  # its hold is not due, and so it is not read
    assert changed.open(whole).settled_usd == Decimal("0.60")
    assert changed.turned == {KEY}  # whoever keeps the holds drops it
    rolled = BudgetLedger(later(120), changed.tallies)
    rolled.open(rolling)
    over = BudgetLedger(later(120) + HOUR, rolled.tallies, rolled.kept.values())
    assert over.open(rolling).settled_usd == 0


def test_a_budget_that_gets_a_window_keeps_what_was_spent_until_it_turns() -> None:
    """What was spent without a window counts in the first one, however long ago it was."""
    whole = type(DAILY)(KEY, Decimal(1), None)
    books = BudgetLedger(NOON, [])
    books.place(a_claim("paid", "1", whole))
    books.settle(a_bill("paid", "1", whole))
    month = NOON + timedelta(days=30)
    books = reopened(books, month)
    assert isinstance(books.place(a_claim("next", "0.01")), OverBudget)
    assert reopened(books, month + HOUR).place(a_claim("next", "0.01")) == HoldPlaced()
