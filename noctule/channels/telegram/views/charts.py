"""Charts: spend by role and day as a small picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from noctule.core.base.money import show_usd
from noctule.core.base.roles import Role

_SIZE = (960, 540)
_LEFT, _TOP, _RIGHT, _BOTTOM = 110, 80, 20, 60
_INK, _PAPER, _LINE = "#222222", "#ffffff", "#dddddd"
_COLOURS: Mapping[str, str] = {
    Role.CHAT: "#4e79a7",
    Role.ORCHESTRATOR: "#9c755f",
    Role.ENGINEER: "#f28e2b",
    Role.RESEARCH: "#59a14f",
    Role.WRITER: "#b07aa1",
    Role.UTILITY: "#76b7b2",
}
_OTHER = "#bab0ac"
_STEPS = 4


@dataclass(frozen=True, slots=True)
class ChartDay:
    """What one day cost.

    Args:
        day: which.
        by_role: the known costs in USD, by role.
    """

    day: date
    by_role: Mapping[str, Decimal]

    @property
    def usd(self) -> Decimal:
        """All of it."""
        return sum(self.by_role.values(), Decimal(0))


def spend_chart(days: Sequence[ChartDay]) -> bytes:
    """Return a PNG with one bar a day, in the colours of the roles.

    Args:
        days: in order; at least one.
    """
    image = Image.new("RGB", _SIZE, _PAPER)
    draw = ImageDraw.Draw(image)
    most = _round_up(max(day.usd for day in days))
    _axis(draw, most)
    width = (_SIZE[0] - _LEFT - _RIGHT) / len(days)
    for number, day in enumerate(days):
        _bar(draw, day, most, _LEFT + number * width, width)
        if len(days) <= 10 or number % 2 == 0:  # noqa: PLR2004 - labels would overlap
            draw.text(
                (_LEFT + (number + 0.5) * width, _SIZE[1] - _BOTTOM + 12),
                f"{day.day.day} {day.day:%b}",
                fill=_INK,
                font=_font(18),
                anchor="ma",
            )
    _legend(draw, days)
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _axis(draw: ImageDraw.ImageDraw, most: Decimal) -> None:
    for step in range(_STEPS + 1):
        y = _height(most * step / _STEPS, most)
        draw.line([(_LEFT, y), (_SIZE[0] - _RIGHT, y)], fill=_LINE, width=1)
        label = show_usd(most * step / _STEPS)
        draw.text((_LEFT - 10, y), label, fill=_INK, font=_font(18), anchor="rm")


def _bar(
    draw: ImageDraw.ImageDraw, day: ChartDay, most: Decimal, left: float, width: float
) -> None:
    below = Decimal(0)
    for role in _roles([day]):
        usd = day.by_role[role]
        if not usd:
            continue
        top, bottom = _height(below + usd, most), _height(below, most)
        box = [left + width * 0.15, top, left + width * 0.85, max(top + 1, bottom)]
        draw.rectangle(box, fill=_COLOURS.get(role, _OTHER))
        below += usd


def _legend(draw: ImageDraw.ImageDraw, days: Sequence[ChartDay]) -> None:
    x: float = _LEFT
    for role in _roles(days):
        draw.rectangle([x, 30, x + 22, 52], fill=_COLOURS.get(role, _OTHER))
        draw.text((x + 30, 41), role, fill=_INK, font=_font(20), anchor="lm")
        x += 30 + draw.textlength(role, font=_font(20)) + 24


def _roles(days: Sequence[ChartDay]) -> list[str]:
    there = {role for day in days for role, usd in day.by_role.items() if usd}
    known = [role for role in _COLOURS if role in there]
    return [*known, *sorted(there - set(known))]


def _height(usd: Decimal, most: Decimal) -> float:
    room = _SIZE[1] - _TOP - _BOTTOM
    return _SIZE[1] - _BOTTOM - room * float(usd / most)


def _round_up(usd: Decimal) -> Decimal:
    """Return the next number of the form 1, 2, 4, 6 or 10 times a power of ten; 1 for 0."""
    if usd <= 0:
        return Decimal(1)
    power = Decimal(10) ** usd.adjusted()
    return next(power * step for step in (1, 2, 4, 6, 10) if power * step >= usd)


def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)
