"""The forms of "not now" under tests/fixtures/refusals as values.

A file is a group: ``host``, ``source`` (a page, a thread, a repository), ``checked`` (when), and
``forms``. A form is the answer (``client`` whose library meets it, ``status``, ``headers``,
``body``, ``url`` where the host tells the zone, ``stream: true`` for an error inside a stream
that began with a 200) and what it means, ``expect``. It may have a host and a source of its own.
Times count from 2026-11-22 12:00 UTC, a Sunday; ``wait`` is in seconds (absent: none is known).
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from noctule.core.provider_errors.outcomes import Outcome
from noctule.core.provider_errors.provider_response import ProviderResponse
from noctule.core.provider_errors.refusals import Evidence, Refusal
from noctule.core.times.windows import Window

_FOLDER = Path(__file__).parent.parent / "fixtures" / "refusals"

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class RefusalCase:
    """One answer of a provider and what it means."""

    name: str
    group: str
    host: str
    source: str
    checked: str
    client: str
    status: int
    headers: dict[str, str]
    body: str
    url: str
    stream: bool
    window: Window | None
    expect: dict[str, Any]

    @property
    def answer(self) -> ProviderResponse:
        return ProviderResponse(
            None if self.stream else self.status, self.headers, self.body, self.url
        )

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
        assert refusal.context_tokens == expect.get("context_tokens"), refusal
        assert refusal.affordable_tokens == expect.get("affordable_tokens"), refusal
        assert expect.get("message", refusal.message) == refusal.message
        if "note" in expect:
            assert expect["note"] in (refusal.note or ""), refusal
        else:
            assert refusal.note is None, refusal

    def complaint(self, refusal: Refusal) -> str | None:
        """Say how a refusal differs from what the entry says; None when it does not."""
        try:
            self.check(refusal)
        except AssertionError as error:
            return f"{self.group}: {self.name}: {error}"
        return None


def _case(group: str, common: dict[str, Any], entry: dict[str, Any]) -> RefusalCase:
    body = entry.get("body", "")
    return RefusalCase(
        name=entry["name"],
        group=group,
        host=entry.get("host", common["host"]),
        source=entry.get("source", common["source"]),
        checked=str(common["checked"]),
        client=entry.get("client", "openai"),
        status=entry["status"],
        headers=entry.get("headers", {}),
        body=body if isinstance(body, str) else json.dumps(body, ensure_ascii=False),
        url=entry.get("url", ""),
        stream=entry.get("stream", False),
        window=_window(entry.get("window")),
        expect=entry["expect"],
    )


def _window(words: dict[str, Any] | None) -> Window | None:
    if words is None:
        return None
    length = words.get("length") or timedelta(hours=words["length_hours"])
    return Window.from_words(words["kind"], length, carry=words.get("carry", False))


def _load() -> list[RefusalCase]:
    files = [
        (path.stem, yaml.safe_load(path.read_text(encoding="utf-8")))
        for path in sorted(_FOLDER.glob("*.yaml"))
    ]
    return [_case(group, loaded, entry) for group, loaded in files for entry in loaded["forms"]]


def _distinct(cases: list[RefusalCase]) -> list[RefusalCase]:
    kinds: dict[tuple[Any, ...], RefusalCase] = {}
    for case in cases:
        expect = case.expect
        long = (expect.get("wait") or 0) > 3600
        marks = [expect.get(key) for key in ("outcome", "evidence", "account_wide", "needs_person")]
        kinds.setdefault((*marks, "wait" in expect, long, case.window is None), case)
    return list(kinds.values())


CASES = _load()
GROUPS = sorted({case.group for case in CASES})
DISTINCT = _distinct(CASES)
"""One case for each meaning: outcome, evidence, reach, and whether the wait is long."""
