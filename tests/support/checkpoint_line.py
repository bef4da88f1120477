"""Drives a saver as LangGraph does: one checkpoint after another of one namespace."""

from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    empty_checkpoint,
)


def at(thread: str = "t", namespace: str = "", id_: str | None = None) -> RunnableConfig:
    """A config as LangGraph passes it."""
    place = {"thread_id": thread, "checkpoint_ns": namespace}
    return {"configurable": place if id_ is None else {**place, "checkpoint_id": id_}}


class Line:
    """Puts checkpoints one after another, bumping the versions of what changed."""

    def __init__(self, saver: BaseCheckpointSaver[str], thread: str = "t", space: str = "") -> None:
        self.saver, self.thread, self.space = saver, thread, space
        self.config = at(thread, space)
        self.values: dict[str, Any] = {}
        self.versions: dict[str, Any] = {}
        self.step = -1

    async def put(self, metadata: dict[str, Any] | None = None, **changed: Any) -> str:
        """Store the next checkpoint and return its id."""
        self.step += 1
        new: dict[str, Any] = {
            name: self.saver.get_next_version(self.versions.get(name), None) for name in changed
        }
        self.versions = {**self.versions, **new}
        self.values = {**self.values, **changed}
        checkpoint: Checkpoint = {
            **empty_checkpoint(),
            "id": f"{self.step:08}",
            "channel_values": self.values,
            "channel_versions": self.versions,
        }
        told: CheckpointMetadata = {"source": "loop", "step": self.step, "parents": {}}
        told.update(metadata or {})  # type: ignore[typeddict-item]  # keys of our own are allowed
        self.config = await self.saver.aput(
            self.config,
            checkpoint,
            told,
            new,
        )
        return checkpoint["id"]

    async def write(self, *writes: tuple[str, Any], task: str = "task") -> None:
        """Store what a task wrote on the newest checkpoint."""
        await self.saver.aput_writes(self.config, writes, task, f"~path {task}")

    async def read(self) -> CheckpointTuple:
        """Return the newest checkpoint."""
        found = await self.saver.aget_tuple(at(self.thread, self.space))
        assert found is not None
        return found
