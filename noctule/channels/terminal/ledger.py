"""The ledger as a table: who was asked, how long it took, what it cost."""

from collections.abc import Sequence

from rich.table import Table

from noctule.core.base.money import show_usd
from noctule.core.llm.attempts import Attempt
from noctule.core.llm.spending import total_usd
from noctule.core.times.durations import show_duration


def attempts_table(attempts: Sequence[Attempt]) -> Table:
    """Return a table of attempts, in the order given, with their sum; 80 columns are enough."""
    table = Table(box=None, pad_edge=False, header_style="bold", show_footer=True)
    table.add_column("role", footer=f"{len(attempts)} requests")
    for name in ("for", "model", "outcome"):
        table.add_column(name)
    for name in ("first token", "time", "in", "out"):
        table.add_column(name, justify="right")
    table.add_column("cost", justify="right", footer=show_usd(total_usd(attempts)))
    for attempt in attempts:
        table.add_row(
            attempt.role,
            attempt.purpose.value,
            attempt.model,
            attempt.outcome.value.replace("_", " "),
            "-" if attempt.first_token_s is None else show_duration(attempt.first_token_s),
            show_duration(attempt.duration_s),
            _count(attempt.usage.input_tokens),
            _count(attempt.usage.output_tokens),
            show_usd(attempt.cost_usd),
        )
    return table


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)
