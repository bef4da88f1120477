"""The process that serves the model: ``python -m noctule.models.embedded.child``.

Standard input carries one JSON line (an ``ServeRequest``) and is then read to its end: when the
parent is gone, however it went, the pipe closes and this process ends. Standard output carries
one JSON line, ``{"url": ...}`` or ``{"error": ...}``. What llama.cpp says goes to standard error.
"""

import ctypes
import json
import os
import signal
import sys
from typing import TYPE_CHECKING

from noctule.models.embedded.launch import ServeRequest

if TYPE_CHECKING:
    import xllamacpp

_PR_SET_PDEATHSIG = 1
"""From linux/prctl.h."""


def main() -> int:
    """Serve until standard input ends; return the exit code."""
    _die_with_parent()
    answers = _private_stdout()
    line = sys.stdin.readline()
    if not line:
        return 0
    order: ServeRequest = json.loads(line)
    try:
        server = _serve(order)
    except Exception as error:  # noqa: BLE001 - whatever it was, the parent must read it
        _say(answers, {"error": str(error)})
        return 1
    _say(answers, {"url": server.listening_address})
    sys.stdin.read()
    # Nothing is worth saving, and an orderly stop would wait for the replies in flight.
    os._exit(0)


def _die_with_parent() -> None:
    """Ask Linux for SIGKILL when the thread that started us ends.

    The pipe alone is not enough: loading holds the interpreter lock, so that nothing notices
    its end meanwhile, and a process the parent forked may keep it open.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _private_stdout() -> int:
    """Return a copy of standard output, and point the original at standard error.

    A library that prints would otherwise be read as our answer.
    """
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


def _serve(order: ServeRequest) -> "xllamacpp.Server":
    """Load the model and listen on a free port of the loopback interface."""
    import xllamacpp  # noqa: PLC0415 - 100 MB of library, wanted in this process alone

    params = xllamacpp.CommonParams()
    params.model.path = order["weights"]
    if order["chat_template"] is not None:
        params.chat_template = order["chat_template"]
    params.model_alias = {order["alias"]}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order["api_key"]]
    params.cors_origins = ""  # its default lets every web page in the browser ask
    params.ui = False
    params.endpoint_slots = False
    params.offline = True
    params.n_parallel = order["slots"]
    params.n_ctx = order["slots"] * order["context_tokens"]
    params.cache_ram_mib = order["cache_mib"]
    params.n_predict = order["default_max_tokens"] or -1
    params.verbosity = order["verbosity"]
    if order["threads"] is not None:
        params.cpuparams.n_threads = order["threads"]
    if order["temperature"] is not None:
        params.sampling.temp = order["temperature"]
    if order["top_p"] is not None:
        params.sampling.top_p = order["top_p"]
    if order["repeat_penalty"] is not None:
        params.sampling.penalty_repeat = order["repeat_penalty"]
    return xllamacpp.Server(params)


def _say(answers: int, answer: dict[str, str]) -> None:
    os.write(answers, json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    sys.exit(main())
