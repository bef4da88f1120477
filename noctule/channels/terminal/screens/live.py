"""A screen of a terminal that can be redrawn: Markdown that grows, and text that disappears."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.spinner import Spinner
from rich.text import Text

from noctule.channels.terminal.screens.blocks import finished_length
from noctule.channels.terminal.screens.elapsed import since
from noctule.channels.terminal.screens.keyboard import Keyboard
from noctule.channels.terminal.screens.printable import printable
from noctule.channels.terminal.screens.reply import ReplyMarkdown

_REDRAWS_PER_SECOND = 10
_LINES_KEPT_FREE = 4


class LiveScreen:
    """Prints what is finished for good and redraws only the block that still grows.

    Args:
        console: the terminal.
        keyboard: what is typed meanwhile; None takes that of this process.
    """

    def __init__(self, console: Console, keyboard: Keyboard | None = None) -> None:
        self._console = console
        self._live: Live | None = None
        self._status: str | None = None
        self._title: str | None = None
        self._growing = ""
        self._kept = False
        self._keyboard = keyboard or Keyboard()
        self._status_since_s = 0.0

    def status(self, text: str | None) -> None:
        """Show a spinner, what is going on and for how long it has been."""
        shown = None if text is None else printable(text)
        if shown != self._status:
            self._status_since_s = self._console.get_time()
        self._status = shown
        self._draw()

    def begin(self, title: str | None) -> None:
        """Begin a block, its title on a line of its own."""
        self.end()
        self._status = None
        if title is not None and title != self._title:
            self._console.print(Text(title, style="bold cyan"))
        self._title = title
        self._draw()

    def text(self, piece: str) -> None:
        """Add to the block; what is finished of it is printed for good."""
        self._growing += printable(piece)
        done = finished_length(self._growing)
        if done:
            self._keep(self._growing[:done])
            self._growing = self._growing[done:]
        self._draw()

    def end(self) -> None:
        """Print the rest of the block for good."""
        if self._growing.strip():
            self._keep(self._growing)
        if self._kept:
            self._console.print()
        self._growing, self._kept = "", False
        self._draw()

    def take_back(self, why: str) -> None:
        """Remove the block, or say that what stands there does not count."""
        stays = self._kept
        self._growing, self._kept = "", False
        self._draw()
        if stays:
            self.note(f"↑ discarded: {why}")

    def note(self, text: str) -> None:
        """Print a dim line, broken between words."""
        self._console.print(Text(printable(text), style="dim"))

    def problem(self, text: str) -> None:
        """Print a sentence in a warning colour, broken between words."""
        self._console.print(Text(printable(text), style="yellow"))

    def aside(self) -> "LiveScreen":
        """Return this screen: a person sees everything in its order."""
        return self

    def close(self) -> None:
        """Print what is left, stop redrawing, and show again what is typed."""
        self._status = None
        self.end()
        self._keyboard.restore()

    def _keep(self, markdown: str) -> None:
        if self._kept:
            self._console.print()
        self._console.print(ReplyMarkdown(markdown.strip("\n")))
        self._kept = True

    def _draw(self) -> None:
        wanted = bool(self._growing.strip() or self._status)
        if wanted and self._live is None:
            self._keyboard.hush()
            self._live = Live(
                get_renderable=self._renderable,
                console=self._console,
                transient=True,
                refresh_per_second=_REDRAWS_PER_SECOND,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start()
        elif not wanted and self._live is not None:
            self._live.stop()
            self._live = None

    def _renderable(self) -> RenderableType:
        shown: list[RenderableType] = []
        if self._growing.strip():
            if self._kept:
                shown.append(Text(""))
            room = max(1, self._console.size.height - _LINES_KEPT_FREE)
            shown.append(_LastLines(ReplyMarkdown(self._growing.strip("\n")), room))
        if self._status:
            seconds = self._console.get_time() - self._status_since_s
            line = f"{self._status}{since(seconds)}"
            shown.append(
                Spinner("dots", Text(line, style="dim", no_wrap=True, overflow="ellipsis"))
            )
        return Group(*shown)


class _LastLines:
    """As many of a renderable's last lines as fit: more than a screen cannot be redrawn."""

    def __init__(self, inner: RenderableType, most: int) -> None:
        self._inner = inner
        self._most = most

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines = console.render_lines(self._inner, options, pad=False)
        yield from _joined(lines[-self._most :])


def _joined(lines: list[list[Segment]]) -> Iterator[Segment]:
    for line in lines:
        yield from line
        yield Segment.line()
