"""Output: what a process has printed, kept within bounds however much it is."""

from collections import deque

_KEPT_BYTES = 256 * 1024


class Output:
    """The head and the tail of a stream of bytes; what was between them is counted.

    Args:
        kept_bytes: how much of the head, and how much of the tail, is kept.
    """

    def __init__(self, kept_bytes: int = _KEPT_BYTES) -> None:
        self._kept = kept_bytes
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self.total = 0

    def add(self, piece: bytes) -> None:
        """Take what came next."""
        self.total += len(piece)
        if (room := self._kept - len(self._head)) > 0:
            self._head += piece[:room]
            piece = piece[room:]
        if piece:
            self._tail.append(piece)
            self._tail_bytes += len(piece)
        while self._tail and self._tail_bytes - len(self._tail[0]) >= self._kept:
            self._tail_bytes -= len(self._tail.popleft())

    def text(self) -> str:
        """Return all of it, or its head and tail and how much is missing between them."""
        tail = b"".join(self._tail)[-self._kept :]
        missing = self.total - len(self._head) - len(tail)
        head_text = bytes(self._head).decode("utf-8", "replace")
        if not missing:
            return (bytes(self._head) + tail).decode("utf-8", "replace")
        gap = f"\n... {missing:,} bytes are left out here ...\n"
        return head_text + gap + tail.decode("utf-8", "replace")
