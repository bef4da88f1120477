import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.support.command_line import CommandLine


@pytest.fixture
def collector() -> Iterator[tuple[str, list[str]]]:
    """A server that takes traces: its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._take()

        def do_POST(self) -> None:
            self._take()

        def log_message(self, *_: object) -> None:
            pass

        def _take(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.end_headers()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.process
@pytest.mark.parametrize("family", ["LANGSMITH", "LANGCHAIN"])
def test_a_conversation_goes_to_nobody_but_its_model(tmp_path: Path, collector, family):
    """Tracing that is switched on in the environment sends nothing of a private conversation."""
    address, asked = collector
    noctule = CommandLine(tmp_path)
    noctule.play({"smol": [{"reply": "Between us."}]})
    environ = {
        f"{family}_TRACING": "true",
        f"{family}_TRACING_V2": "true",
        f"{family}_API_KEY": "test-key",
        f"{family}_ENDPOINT": address,
    }
    done = noctule.run("chat", "--private", "--role", "chat", "A secret", **environ)
    assert (done.returncode, done.stdout.strip()) == (0, "Between us."), done.stderr
    assert asked == []
