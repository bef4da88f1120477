import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.budgets.accounts import (
    Account,
    Statement,
    account_endpoint,
    account_key,
    read_statement,
)
from noctule.core.budgets.budgets import BudgetKey
from noctule.core.settings.account import AccountSettings

NOW = datetime(2026, 11, 18, 12, 30, tzinfo=UTC)  # a Wednesday


def _read(preset: str, document: Any, **paths: str) -> Statement:
    settings = AccountSettings.model_validate({"preset": preset, **paths})
    return read_statement(json.dumps(document).encode(), settings.paths, NOW)


def _openrouter(**data: Any) -> Statement:
    usual = {"limit": 5, "limit_remaining": 0.0156, "limit_reset": "monthly", "usage": 77.25}
    return _read("openrouter", {"data": usual | data})


def test_openrouter_says_what_is_left_of_the_present_window() -> None:
    """Its usage counts from the key's beginning, so that limit minus usage would be wrong."""
    said = _openrouter()
    assert (said.limit_usd, said.left_usd) == (Decimal(5), Decimal("0.0156"))
    assert said.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert said.words == "limit 5, limit_remaining 0.0156, limit_reset monthly"


@pytest.mark.parametrize(
    ("word", "resets_at"),
    [
        ("daily", datetime(2026, 11, 19, tzinfo=UTC)),
        ("weekly", datetime(2026, 11, 23, tzinfo=UTC)),
        ("MONTHLY", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-11-20T01:00:00Z", datetime(2026, 11, 20, 1, tzinfo=UTC)),
        ("2026-11-20T01:00:00", datetime(2026, 11, 20, 1, tzinfo=UTC)),
        (1795136400, datetime(2026, 11, 20, 1, tzinfo=UTC)),
        (1795136400000, datetime(2026, 11, 20, 1, tzinfo=UTC)),
    ],
)
def test_a_reset_is_a_word_a_date_or_an_epoch(word: Any, resets_at: datetime) -> None:
    """Weeks begin on Monday and days at midnight, both in UTC."""
    said = _openrouter(limit_reset=word)
    assert (said.resets_at, said.never_resets) == (resets_at, False)


@pytest.mark.parametrize("word", ["soon", 12, True, {}, "9999-01-01T00:00:00Z", "30d"])
def test_a_reset_that_makes_no_sense_is_unknown_and_not_never(word: Any) -> None:
    """The money is known all the same."""
    said = _openrouter(limit_reset=word)
    assert (said.resets_at, said.never_resets) == (None, False)
    assert said.left_usd == Decimal("0.0156")


def test_null_means_no_limit_and_never() -> None:
    """Which is not the same as a field that is not there."""
    said = _openrouter(limit=None, limit_remaining=None, limit_reset=None)
    assert (said.unlimited, said.limit_usd, said.left_usd) == (True, None, None)
    assert said.never_resets
    with pytest.raises(ValueError, match=r"it has no data\.limit_remaining and no data\.limit"):
        _read("openrouter", {"data": {}})


def test_litellm_says_limit_and_spent() -> None:
    """What is left is the difference; an overdrawn budget is below 0."""
    info = {"spend": 10.5, "max_budget": 10.0, "budget_reset_at": "2026-11-19T00:00:00Z"}
    said = _read("litellm", {"key": "hashed", "info": info})
    assert (said.limit_usd, said.spent_usd) == (Decimal("10.0"), Decimal("10.5"))
    assert said.left_usd == Decimal("-0.5")
    assert said.resets_at == datetime(2026, 11, 19, tzinfo=UTC)
    assert _read("litellm", {"info": info | {"max_budget": None}}).unlimited
    user = _read("litellm-user", {"user_info": info})
    assert user.left_usd == Decimal("-0.5")


def test_cheapestinference_says_limit_and_spent() -> None:
    """As its documentation shows it."""
    budget = {"spent": 1.23, "limit": 10.0, "duration": "30d", "resets_at": "2026-11-20T10:00:00Z"}
    said = _read("cheapestinference", {"budget": budget, "credits": {"balance": 5.0}})
    assert said.left_usd == Decimal("8.77")
    assert said.resets_at == datetime(2026, 11, 20, 10, tzinfo=UTC)


def test_paths_go_through_lists_and_texts_are_amounts() -> None:
    """Like the balance of an account that has nothing but a balance."""
    settings = AccountSettings(url="/user/balance", left="balance_infos[0].total_balance")
    body = json.dumps({"balance_infos": [{"currency": "USD", "total_balance": "110.07"}]})
    said = read_statement(body.encode(), settings.paths, NOW)
    assert (said.limit_usd, said.left_usd) == (None, Decimal("110.07"))
    assert (said.unlimited, said.never_resets) == (False, False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"data": 5}',
        b'{"data": {"limit": NaN, "limit_remaining": NaN}}',
        b'{"data": {"limit": 5, "limit_remaining": true}}',
        b'{"data": {"limit": 5, "limit_remaining": "lots"}}',
        b'{"data": {"limit": 5, "limit_remaining": {}}}',
        b'{"data": {"limit": -5, "limit_remaining": -5}}',
        b'{"data": {"limit": 5, "limit_remaining": null}}',
        b'{"data": {"limit": 5, "limit_remaining": -1e30}}',
        b"[" * 100_000,
        b"9" * 10_000,
    ],
)
def test_nonsense_is_refused(body: bytes) -> None:
    """Nothing is guessed, least of all a 0."""
    paths = AccountSettings.model_validate({"preset": "openrouter"}).paths
    with pytest.raises(ValueError, match=r"^it |^data"):
        read_statement(body, paths, NOW)


def test_an_endless_limit_is_none() -> None:
    """Some write a huge number for no limit; it would not fit a column of money."""
    assert _openrouter(limit=1e30, limit_remaining=1e30).unlimited
    assert _read("litellm", {"info": {"max_budget": 1e18, "spend": 3}}).unlimited


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(limit=_ANYTHING, left=_ANYTHING, reset=_ANYTHING)
def test_whatever_is_answered_gives_a_statement_or_a_clause(
    limit: Any, left: Any, reset: Any
) -> None:
    """What is read can be stored, and says either how much is left or that there is no limit."""
    try:
        said = _openrouter(limit=limit, limit_remaining=left, limit_reset=reset)
    except ValueError:
        return
    assert (said.left_usd is None) == said.unlimited
    for amount in (said.limit_usd, said.spent_usd, said.left_usd):
        assert amount is None or abs(amount) <= 2_000_000_000
    assert len(said.words) < 400


def test_a_statement_counts_until_its_reset_and_while_there_is_no_trouble() -> None:
    """A reset that was late when it was named ends nothing."""
    said = Statement(Decimal(5), Decimal(5), Decimal(0), resets_at=NOW + timedelta(hours=1))
    known = Account("cloud", "", NOW, None, NOW, said)
    assert known.now(NOW + timedelta(minutes=59)) == said
    assert known.now(NOW + timedelta(hours=1)) is None
    late = Account("cloud", "", NOW, None, NOW + timedelta(hours=2), said)
    assert late.now(NOW + timedelta(hours=3)) == said
    assert Account("cloud", "", NOW, "It did not answer.", NOW, said).now(NOW) is None
    assert Account("cloud", "", NOW).now(NOW) is None


def test_an_account_has_a_name_among_budgets() -> None:
    """From which its endpoint is known again."""
    assert account_endpoint(account_key("my.router")) == "my.router"
    assert account_endpoint(BudgetKey("roles.chat")) is None
