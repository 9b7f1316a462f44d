"""A server that answers by script: each request meets the next act, from then on the last one."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

MODEL = "judge-9"
#: Longer than any time limit that a test sets.
SILENCE_SECONDS = 30.0
Act = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request; `request` is its body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.request_body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked: dict[str, Any] = json.loads(self.request_body)
        self.server.stage.act(self)(self)

    def do_GET(self) -> None:
        listed = {"object": "list", "data": [_model(name) for name in self.server.stage.models]}
        self.send(200, json.dumps(listed).encode(), Content_Type="application/json")

    def send(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Server(ThreadingHTTPServer):
    """Says nothing of clients that were killed."""

    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Quiet."""


class Stage:
    """The script, and what was asked: `seen` counts the prompts, `keys` the bearers."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self.acts, self.turn, self.lock = acts, 0, Lock()
        self.seen: Counter[str] = Counter()
        self.bearers: set[str | None] = set()
        self.url = ""
        self.models = [MODEL]

    def act(self, handler: Handler) -> Act:
        with self.lock:
            number, self.turn = self.turn, self.turn + 1
            self.seen[handler.asked["messages"][-1]["content"]] += 1
            self.bearers.add(handler.headers.get("Authorization"))
        return self.acts[min(number, len(self.acts) - 1)]


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 1, "owned_by": "tests"}


@contextmanager
def upstream(*acts: Act) -> Iterator[Stage]:
    """Play on 127.0.0.1 while the context lasts."""
    server = Server(("127.0.0.1", 0), Handler)
    server.stage = Stage(acts)
    server.stage.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.stage
    finally:
        server.shutdown()
        server.server_close()


def says(
    text: str = "Rating: [[7]]",
    model: str | None = MODEL,
    seconds: float = 0.0,
    finish: str = "stop",
    count: Callable[[list], int] = lambda messages: 10,
) -> Act:
    """An ordinary answer, after a while; 10 prompt and 2 completion tokens, unless `count` says
    how many tokens the messages are."""

    def act(handler: Handler) -> None:
        time.sleep(seconds)
        prompt = count(handler.asked["messages"])
        message = {"role": "assistant", "content": text}
        body = {
            "id": "x",
            "object": "chat.completion",
            "created": 1,
            "model": model,
            "choices": [{"index": 0, "finish_reason": finish, "message": message}],
            "usage": {
                "prompt_tokens": prompt,
                "completion_tokens": 2,
                "total_tokens": prompt + 2,
            },
        }
        handler.send(200, json.dumps(body).encode(), Content_Type="application/json")

    return act


def fails(status: int, code: str = "", **headers: str) -> Act:
    """An error in OpenAI's form that quotes the key and the prompt, as some do."""

    def act(handler: Handler) -> None:
        said = f"{handler.headers.get('Authorization')} {handler.asked['messages'][-1]['content']}"
        body = {"error": {"message": said, "code": code or said, "type": said}}
        handler.send(status, json.dumps(body).encode(), **headers)

    return act


def malformed(handler: Handler) -> None:
    """Status 200, and no JSON."""
    handler.send(200, b'{"choices": [{"mess', Content_Type="application/json")


def cut(handler: Handler) -> None:
    """Half an answer, then nothing."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b'{"choices": [')
    handler.close_connection = True


def silent(handler: Handler) -> None:
    """No answer at all."""
    time.sleep(SILENCE_SECONDS)
