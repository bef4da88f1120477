"""In which zone a provider means times without one, and from which hour its days run."""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from noctule.core.provider_errors.provider_response import ProviderResponse

_BEIJING_HOSTS = (
    "bigmodel.cn",
    "z.ai",
    "zhipuai.cn",
    "aliyuncs.com",
    "aliyun.com",
    "minimaxi.com",
    "minimax.io",
    "minimax.chat",
    "moonshot.cn",
    "moonshot.ai",
    "kimi.com",
    "deepseek.com",
    "volces.com",
    "volcengineapi.com",
    "baidubce.com",
    "siliconflow.cn",
    "siliconflow.com",
    "stepfun.com",
    "modelscope.cn",
    "tencentcloudapi.com",
    "tencent.com",
    "xf-yun.com",
    "lingyiwanwu.com",
    "baichuan-ai.com",
    "sensenova.cn",
    "infini-ai.com",
    "ppinfra.com",
    "xiaomimimo.com",
)
"""Hosts of Chinese providers. A stamp of Z.ai is UTC+8 to the second (its users' reports)."""

_PACIFIC_HOSTS = ("googleapis.com", "google.com")
"""Days of Gemini's quotas begin at midnight Pacific (its rate limit page, checked 2026-11)."""

_ZHIPU = re.compile(r"limit will reset at|已达到.{0,20}(?:上限|限额)|限额将在", re.IGNORECASE)
_CHINESE = re.compile(r"[\u4e00-\u9fff]")
_VENDORS = re.compile(r"\b(?:z\.?ai|zhipu|bigmodel)\b", re.IGNORECASE)
_ZHIPU_CODES = frozenset({"1304", "1308", "1310"})
_WINDOW = re.compile(
    r"(?<![\d.])(\d{1,3})[\s-]*(?:hours?|hrs?|h|个?\s*小时)(?![a-z])", re.IGNORECASE
)
_BEIJING_HOURS = 8
_MOST_SHIFT_HOURS = 14
_SLACK = timedelta(minutes=5)


def named_zone(name: str, hours: float) -> tzinfo:
    """Return a zone by name, or its standard time on a machine without the database of zones."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError):
        return timezone(timedelta(hours=hours))


def beijing() -> tzinfo:
    """Return the zone of China."""
    return named_zone("Asia/Shanghai", _BEIJING_HOURS)


def pacific() -> tzinfo:
    """Return the zone of California; standard time is at most an hour late, never early."""
    return named_zone("America/Los_Angeles", -8)


def zone_of(answer: ProviderResponse) -> tzinfo | None:
    """Return where an answer means its times; None when nothing tells.

    The host decides; behind a gateway the vendor's own codes and language do.
    """
    host = answer.host
    if _belongs(host, _BEIJING_HOSTS):
        return beijing()
    if _belongs(host, _PACIFIC_HOSTS):
        return pacific()
    if answer.codes & _ZHIPU_CODES and _ZHIPU.search(answer.words):
        return beijing()
    named = _CHINESE.search(answer.words) or _VENDORS.search(answer.words)
    return beijing() if named else None


def fit_to_window(
    moment: datetime, words: str, now: datetime, attempt: int
) -> tuple[datetime, str | None]:
    """Shift a time without a zone that lies beyond the window it names by whole hours.

    "Usage limit reached for 5 hour … reset at" a stamp 8 h 35 min away was not written in UTC.
    Where several shifts fit, Beijing's is tried first, then the soonest, each once.

    Args:
        moment: as read in UTC.
        words: the provider's message, which names the window.
        now: aware.
        attempt: refusals in a row before this one: the next shift is tried.

    Returns:
        The moment to believe, and what was changed; None when nothing was.
    """
    found = _WINDOW.search(words)
    window = timedelta(hours=int(found[1])) if found else timedelta(0)
    if not window or moment <= now + window + _SLACK:
        return moment, None
    shifts = [
        hours
        for hours in sorted(
            range(1, _MOST_SHIFT_HOURS + 1), key=lambda h: (h != _BEIJING_HOURS, -h)
        )
        if now < moment - timedelta(hours=hours) <= now + window + _SLACK
    ]
    if attempt >= len(shifts):
        return moment, None
    hours = shifts[attempt]
    note = f"a reset without a zone lies beyond its window and is read as UTC+{hours}"
    return moment - timedelta(hours=hours), note


def _belongs(host: str, owners: tuple[str, ...]) -> bool:
    return any(host == owner or host.endswith(f".{owner}") for owner in owners)
