from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from noctule.core.llm.limits import Limit, LimitKey
from noctule.core.llm.requirements import Requirements
from noctule.core.llm.routes import Complexity
from noctule.core.llm.selection import ModelFacts, RoutingPreference, Selection, resolve
from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.refusals import Evidence
from noctule.core.settings import OnLimit, RoleSettings

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
BINDING = RoleSettings(primary="a", fallback=("b", "c"), escalate="x")


def limited(until: datetime | None = LATER) -> Limit:
    key = LimitKey("e", "", None)
    evidence = None if until is None else Evidence.HEADER
    return Limit(key, Outcome.RATE_LIMITED, "Slow down.", until, evidence, NOW)


def down(left_alone_until: datetime | None) -> Limit:
    key = LimitKey("e", "", "b")
    found = Limit(key, Outcome.UNAVAILABLE, "no answer", LATER, Evidence.GUESS, NOW, windows=0)
    return replace(found, guesses=1, left_alone_until=left_alone_until)


def look(
    need: Requirements | None = None,
    binding: RoleSettings = BINDING,
    wish: RoutingPreference | None = None,
    tried: tuple[str, ...] = (),
    **facts: ModelFacts | None,
) -> Selection:
    known = {name: ModelFacts(local=True) for name in "abcx"} | facts
    return resolve(
        need or Requirements(),
        binding,
        {name: fact for name, fact in known.items() if fact is not None},
        wish=wish or RoutingPreference(),
        now=NOW,
        tried=tried,
    )


def names(resolution: Selection) -> list[str]:
    return [candidate.model for candidate in resolution.candidates]


def test_primary_then_fallbacks_in_their_order() -> None:
    """Without anything special the binding's own order holds, each with its reason."""
    found = look()
    assert [(c.model, c.reason, c.rank) for c in found.candidates] == [
        ("a", "primary", 0),
        ("b", "fallback", 1),
        ("c", "fallback", 2),
    ]
    assert found.skips == ()


def test_escalation_comes_first_and_only_when_asked_for() -> None:
    """The escalation model leads when the turn needs it and is absent otherwise."""
    assert names(look(Requirements(complexity=Complexity.ESCALATE))) == ["x", "a", "b", "c"]
    assert names(look(Requirements(complexity=Complexity.COMPLEX))) == ["a", "b", "c"]
    binding = RoleSettings(primary="a", fallback=("b",), escalate="b")
    assert names(look(Requirements(complexity=Complexity.ESCALATE), binding)) == ["b", "a"]


def test_a_pinned_model_leads_if_it_belongs_to_the_binding() -> None:
    """Chat keeps its model; a pin to a model that is no longer bound has no effect."""
    assert names(look(wish=RoutingPreference(pinned="c"))) == ["c", "a", "b"]
    assert names(look(wish=RoutingPreference(pinned="gone"))) == ["a", "b", "c"]


def test_a_forced_model_is_the_only_one() -> None:
    """The person's choice has no fallback, bound or not, and may be missing."""
    assert names(look(wish=RoutingPreference(forced="x"))) == ["x"]
    found = look(wish=RoutingPreference(forced="nosuch"))
    assert (names(found), found.skips[0].incapable) == ([], True)


@pytest.mark.parametrize(
    ("need", "facts", "reason"),
    [
        (
            Requirements(private=True),
            ModelFacts(local=False),
            "is not local and the call is private",
        ),
        (Requirements(tools=True), ModelFacts(local=True, tools=False), "cannot call tools"),
        (Requirements(vision=True), ModelFacts(local=True), "cannot see pictures"),
        (
            Requirements(context_tokens=9),
            ModelFacts(local=True, context_tokens=8),
            "holds 8 tokens and",
        ),
    ],
)
def test_what_a_call_needs_is_a_reason_no_wait_cures(
    need: Requirements, facts: ModelFacts, reason: str
) -> None:
    """A model that lacks something is skipped for good, with the reason."""
    [skip] = [skip for skip in look(need, a=facts).skips if skip.model == "a"]
    assert skip.reason.startswith(reason)
    assert (skip.incapable, skip.retry_at) == (True, None)
    assert skip.too_long == (need.context_tokens > 0)


def test_what_is_unknown_does_not_rule_a_model_out() -> None:
    """Unknown tools and an unknown window are tried."""
    assert names(look(Requirements(tools=True, context_tokens=10**6)))[0] == "a"


def test_limits_and_circuits_rule_out_until_their_time() -> None:
    """The skip says until when and why; what is over does not count."""
    found = look(
        a=ModelFacts(local=True, limit=limited()),
        b=ModelFacts(local=True, limit=down(LATER)),
        c=ModelFacts(local=True, limit=down(NOW)),
    )
    assert names(found) == ["c"]
    first, second = found.skips
    assert first.reason == "refused until 2026-01-01 01:00:00 UTC (header): Slow down."
    assert (first.retry_at, first.limit, first.incapable) == (LATER, limited(), False)
    assert second.reason.startswith("failed repeatedly, left alone until 2026-01-01 01:00:00")
    assert second.retry_at == LATER
    [skip] = look(
        wish=RoutingPreference(forced="a"), a=ModelFacts(local=True, limit=limited(None))
    ).skips
    assert skip.reason == "refused until a person acts: Slow down."


def test_on_limit_park_waits_for_the_first_capable_model() -> None:
    """With ``park`` nobody stands in for a model that is only limited, but for one that cannot."""
    park = RoutingPreference(on_limit=OnLimit.PARK)
    found = look(wish=park, a=ModelFacts(local=True, limit=limited()))
    assert (names(found), [skip.model for skip in found.skips]) == ([], ["a"])
    assert names(look(wish=park)) == ["a"]
    assert names(
        look(Requirements(tools=True), wish=park, a=ModelFacts(local=True, tools=False))
    ) == ["b"]
    binding = BINDING.model_copy(update={"on_limit": OnLimit.PARK})
    assert names(look(binding=binding, wish=RoutingPreference(on_limit=OnLimit.FALLBACK))) == [
        "a",
        "b",
        "c",
    ]


def test_the_skips_before_a_candidate_are_those_passed_on_the_way() -> None:
    """A skip further down the line is no reason for standing here."""
    found = look(a=ModelFacts(local=True, limit=limited()), c=None)
    [candidate] = found.candidates
    assert candidate.model == "b"
    assert [skip.model for skip in found.before(candidate)] == ["a"]
    assert [skip.model for skip in found.skips] == ["a", "c"]


FACTS = st.one_of(
    st.none(),
    st.builds(
        ModelFacts,
        local=st.booleans(),
        tools=st.sampled_from([None, True, False]),
        vision=st.booleans(),
        context_tokens=st.sampled_from([None, 10, 1000]),
        limit=st.sampled_from(
            [None, limited(), limited(None), limited(NOW), down(NOW), down(LATER), down(None)]
        ),
    ),
)
NEEDS = st.builds(
    Requirements,
    tools=st.booleans(),
    vision=st.booleans(),
    context_tokens=st.sampled_from([0, 100]),
    private=st.booleans(),
    complexity=st.sampled_from(list(Complexity)),
)


@given(
    need=NEEDS,
    facts=st.fixed_dictionaries(dict.fromkeys("abcx", FACTS)),
    pinned=st.sampled_from([None, "b", "x", "gone"]),
    tried=st.sets(st.sampled_from("abcx")),
)
def test_everybody_is_either_a_candidate_or_skipped_with_a_reason(
    need: Requirements, facts: dict[str, ModelFacts | None], pinned: str | None, tried: set[str]
) -> None:
    """Nobody is lost or named twice, nobody asked twice, and no private call leaves the house."""
    found = look(
        need, wish=RoutingPreference(pinned=pinned), tried=tuple(tried), **dict[str, Any](facts)
    )
    everybody = [*names(found), *(skip.model for skip in found.skips)]
    bound = {"a", "b", "c"} | ({"x"} if need.complexity is Complexity.ESCALATE else set())
    bound |= {pinned} & {"x"} if pinned else set()
    assert sorted(everybody) == sorted(bound - tried)
    assert all(skip.reason for skip in found.skips)
    ranks = [candidate.rank for candidate in found.candidates]
    assert ranks == sorted(set(ranks))
    for candidate in found.candidates:
        fact = facts[candidate.model]
        assert fact is not None
        assert fact.local or not need.private
        assert fact.limit is None or not fact.limit.in_force(NOW)
