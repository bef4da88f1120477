"""What comes to its end soon, or has, told beside a list."""

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from noctule.bootstrap import Records


def tell_of_ends(records: "Records", paths: tuple[str, ...]) -> None:
    """Print a sentence for each end that is at most a week away, or over.

    Args:
        records: the configuration, the zone and the time.
        paths: how the paths of those begin that are meant.
    """
    from noctule.core.budgets.plan_ends import plan_ends  # noqa: PLC0415 - not for --help

    now = records.clock.now()
    for end in plan_ends(records.settings):
        if end.path.startswith(paths) and end.nearness(now) is not None:
            click.echo(f"{end.sentence(now, records.zone)} {end.fix}")
