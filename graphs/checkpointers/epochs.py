"""Whose step it is that is stored: the epoch of a tenure, compared in the same transaction."""

from langchain_core.runnables import RunnableConfig

EPOCH = "noctule_epoch"
"""Under which key of a run's configuration it travels; kept with the metadata of each step."""


def epoch_of(config: RunnableConfig) -> int | None:
    """Return the epoch a step is stored under; None where nobody may be superseded."""
    epoch: int | None = config["configurable"].get(EPOCH)
    return epoch
