"""The order in which the assignments of a plan may run."""

from collections.abc import Collection, Iterable, Mapping, Sequence


def sound(assignments: Sequence[tuple[str, Iterable[str]]]) -> bool:
    """Return whether ids are unique, every need exists, and nothing waits for itself.

    Args:
        assignments: id and needs of each.
    """
    needs = {name: set(wanted) for name, wanted in assignments}
    if len(needs) != len(assignments) or any(wanted - needs.keys() for wanted in needs.values()):
        return False
    finished: set[str] = set()
    while len(finished) < len(needs):
        wave = ready(needs, finished)
        if not wave:
            return False
        finished.update(wave)
    return True


def ready(needs: Mapping[str, Iterable[str]], finished: Collection[str]) -> list[str]:
    """Return the unfinished assignments whose needs are all finished, in the plan's order.

    Args:
        needs: what each assignment waits for.
        finished: ids that have a result.
    """
    return [
        name
        for name, wanted in needs.items()
        if name not in finished and all(need in finished for need in wanted)
    ]


def last_ones(needs: Mapping[str, Iterable[str]]) -> list[str]:
    """Return the assignments that no other waits for: their results are the reply."""
    wanted = {need for values in needs.values() for need in values}
    return [name for name in needs if name not in wanted]
