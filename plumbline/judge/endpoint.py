"""The gateway's endpoint: OpenAI's chat-completions API on this machine only, for one command.

It listens on 127.0.0.1 at a port the system chooses, answers only who knows its random token, and
lives in a daemon thread, so that it cannot outlast the command that started it.
"""

from __future__ import annotations

import json
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any, Protocol

from plumbline.contracts import Judge
from plumbline.judge.wire import Body, NoJudgment

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse

API = "/v1/chat/completions"
HOST = "127.0.0.1"


class Completing(Protocol):
    """What an endpoint serves: `Gateway`."""

    name: str
    version: str

    def complete(self, request: dict[str, Any]) -> Body:
        """A chat completion, or NoJudgment."""


@contextmanager
def serve(gateway: Completing) -> Iterator[Judge]:
    """Run an endpoint for `gateway` while the context lasts."""
    import uvicorn

    token = secrets.token_urlsafe(32)
    listener = socket.create_server((HOST, 0))
    # Inherited by every connection. Without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        application(gateway, token), lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    url = f"http://{HOST}:{listener.getsockname()[1]}/v1"
    try:
        yield Judge(url, token, gateway.name, gateway.version)
    finally:
        server.should_exit = True
        thread.join()


def application(gateway: Completing, token: str) -> Starlette:
    """The API as an ASGI application. Errors have OpenAI's form: 401 for a wrong token, 403 from
    another machine, 400 for a body that is not a request, 404 for any other path, 500 where the
    gateway itself fails, and a `NoJudgment`'s own status. None is worth a retry: the gateway has
    tried already."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.middleware import Middleware
    from starlette.middleware.trustedhost import TrustedHostMiddleware
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def complete(request: Request) -> JSONResponse:
        sent = request.headers.get("authorization", "")
        if request.client is None or request.client.host != HOST:
            return _error(403, "permission_error", "this endpoint serves its own machine only")
        if not secrets.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            return _error(401, "authentication_error", "send this endpoint's token as bearer")
        try:
            body = _chat(await request.body())
            return JSONResponse(await run_in_threadpool(gateway.complete, body))
        except NoJudgment as error:
            return _error(error.status, "no_judgment", str(error))
        except Exception as error:
            # Not raised further: a server logs what is, and its text may quote the prompt.
            return _error(500, "server_error", f"the judge failed ({type(error).__name__})")

    return Starlette(
        routes=[Route(API, complete, methods=["POST"])],
        # A page in a browser that has its own name point here is not this machine's user.
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )


def _chat(body: bytes) -> dict[str, Any]:
    """A chat-completions request for one completion to plain-text messages; NoJudgment else."""
    try:
        request = json.loads(body)
        contents = [message["content"] for message in request["messages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise NoJudgment(400, "the body is not a chat-completions request") from error
    if not contents or not all(isinstance(content, str) for content in contents):
        raise NoJudgment(400, "messages: there must be one at least, all of plain text")
    if request.get("stream") or request.get("n", 1) != 1:
        raise NoJudgment(400, "stream and n > 1 are not offered; ask again with draw: 1, 2, ...")
    if not isinstance(request.get("draw", 0), int):
        raise NoJudgment(400, "draw: must be 0, 1, 2, ...")
    return request


def _error(status: int, kind: str, message: str) -> JSONResponse:
    from starlette.responses import JSONResponse

    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return JSONResponse(body, status_code=status, headers={"x-should-retry": "false"})
