"""The answers of tests/fixtures/refusals.yaml as values."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from noctule.core.answers import RawAnswer
from noctule.core.outcomes import Outcome
from noctule.core.refusals import Evidence, Refusal
from noctule.core.windows import Window

_FILE = Path(__file__).parent.parent / "fixtures" / "refusals.yaml"
_LOADED = yaml.safe_load(_FILE.read_text(encoding="utf-8"))

NOW: datetime = _LOADED["now"]


@dataclass(frozen=True)
class RefusalCase:
    """One answer of a provider and what it means."""

    name: str
    client: str
    status: int
    headers: dict[str, str]
    body: str
    window: Window | None
    expect: dict[str, Any]

    @property
    def answer(self) -> RawAnswer:
        return RawAnswer(self.status, self.headers, self.body)

    def check(self, refusal: Refusal) -> None:
        """Compare everything the entry says and nothing it does not say."""
        expect = self.expect
        evidence = Evidence(expect["evidence"]) if "evidence" in expect else None
        wait = expect.get("wait")
        retry_at = None if wait is None else NOW + timedelta(seconds=wait)
        assert (refusal.outcome, refusal.retry_at, refusal.evidence) == (
            Outcome(expect["outcome"]),
            retry_at,
            evidence,
        ), refusal
        assert refusal.account_wide is expect.get("account_wide", False), refusal
        assert refusal.needs_person is expect.get("needs_person", False), refusal
        assert expect.get("message", refusal.message) == refusal.message
        if "note" in expect:
            assert expect["note"] in (refusal.note or ""), refusal
        else:
            assert refusal.note is None, refusal


def _case(entry: dict[str, Any]) -> RefusalCase:
    body = entry.get("body", "")
    return RefusalCase(
        name=entry["name"],
        client=entry["client"],
        status=entry["status"],
        headers=entry.get("headers", {}),
        body=body if isinstance(body, str) else json.dumps(body),
        window=_window(entry.get("window")),
        expect=entry["expect"],
    )


def _window(words: dict[str, Any] | None) -> Window | None:
    if words is None:
        return None
    length = words.get("length") or timedelta(hours=words["length_hours"])
    return Window.from_words(words["kind"], length, carry=words.get("carry", False))


CASES = [_case(entry) for entry in _LOADED["refusals"]]
