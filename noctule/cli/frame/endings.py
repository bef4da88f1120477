"""How a command ends that did not just return: one sentence on stderr, and the right code."""

import os
import sys
from contextlib import suppress

import click

from noctule.cli.frame.invocation import Invocation
from noctule.cli.frame.tell import tell
from noctule.core.errors import NoctuleError

FAILED = 1
USAGE = 2
_STDERR = 2
_TERMINAL = "noctule.channels.terminal.screens"
_PRINTING = frozenset(
    {"click", "rich", "noctule.cli.main", f"{_TERMINAL}.plain", f"{_TERMINAL}.border"}
)
"""What writes to standard output, by the names of packages and modules."""


def end_with(error: BaseException, invocation: Invocation) -> int:
    """Say what happened, and return the exit code.

    Args:
        error: what the command raised.
        invocation: whose data folder gets the traceback of something unexpected.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else FAILED
    if isinstance(error, BrokenPipeError):
        return FAILED  # whoever read our output has gone: nobody is left to tell
    if isinstance(error, click.UsageError) and not invocation.as_json:
        with suppress(OSError):
            _show_usage(error)
        return USAGE
    sentence, code = _explain(error, invocation)
    with suppress(OSError):
        tell(sentence)
        if invocation.as_json and not invocation.answered:
            invocation.print_document({"error": sentence})
    return code


def replace_closed_streams() -> None:
    """Let what is written to a stream that was closed before the start (``>&-``) go nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    while nowhere <= _STDERR:  # take the numbers of all three, so that no database gets them
        nowhere = os.dup(nowhere)
    os.close(nowhere)
    sys.stdin = sys.stdin or os.fdopen(0, "r", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(_STDERR, "w", closefd=False)


def let_go_of_streams() -> None:
    """Write out what is buffered; where that cannot be done, keep Python from complaining."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            with suppress(OSError, ValueError):
                nowhere = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nowhere, stream.fileno())
                os.close(nowhere)
        except ValueError:
            continue


def _show_usage(error: click.UsageError) -> None:
    """Show a usage error as click does, with the sentence broken between words."""
    if error.ctx is not None:
        tell(error.ctx.get_usage())
        names = error.ctx.help_option_names
        if names:
            tell(f"Try '{error.ctx.command_path} {names[-1]}' for help.\n")
    tell(f"Error: {error.format_message()}")


def _is_of_output(error: OSError) -> bool:
    """Whether an error came of writing to standard output, to a full disk for example."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    name = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__"))
    return name.partition(".")[0] in _PRINTING or name in _PRINTING


def _explain(error: BaseException, invocation: Invocation) -> tuple[str, int]:
    match error:
        case NoctuleError():
            return str(error), error.exit_code
        case click.UsageError():
            return error.format_message(), USAGE
        case click.ClickException():
            return error.format_message(), error.exit_code
        case KeyboardInterrupt() | click.Abort():
            return "Stopped.", FAILED
        case OSError() if _is_of_output(error):
            why = error.strerror or type(error).__name__
            return (
                f"The output could not be written: {why}. Nothing stored was lost. Free some space "
                "or send the output elsewhere, then run the command again."
            ), FAILED
        case _:
            return _unexpected(error, invocation), FAILED


def _unexpected(error: BaseException, invocation: Invocation) -> str:
    from noctule.cli.frame.logs import keep_traceback  # noqa: PLC0415 - only when something broke

    kept = keep_traceback(error, invocation.home, invocation.secrets)
    where = f"{kept} has the details" if kept else "and no log could be written"
    return (
        f"Internal error ({type(error).__name__}); {where}. Please report it; `noctule doctor` "
        "checks your setup."
    )
