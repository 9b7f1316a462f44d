"""The judge's endpoint: OpenAI's chat-completions API on this machine only, for one command.

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
from typing import TYPE_CHECKING, Any

from plumbline.contracts import Judge
from plumbline.errors import JudgeError
from plumbline.judge.wire import Answerer, completion

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse

API = "/v1/chat/completions"


@contextmanager
def serve(answerer: Answerer) -> Iterator[Judge]:
    """Run an endpoint for `answerer` while the context lasts."""
    import uvicorn

    token = secrets.token_urlsafe(32)
    listener = socket.create_server(("127.0.0.1", 0))
    # Inherited by every connection. Without it each answer waits 40 ms for an acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    config = uvicorn.Config(
        application(answerer, token), lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
    try:
        yield Judge(url, token, answerer.name, answerer.version)
    finally:
        server.should_exit = True
        thread.join()


def application(answerer: Answerer, token: str) -> Starlette:
    """The API as an ASGI application. Errors have OpenAI's form: 401 for a wrong token, 400 for a
    body that is not a request or a prompt that the judge cannot read, 404 for any other path, 500
    where the answerer itself fails."""
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def complete(request: Request) -> JSONResponse:
        sent = request.headers.get("authorization", "")
        if not secrets.compare_digest(sent.encode(), f"Bearer {token}".encode()):
            return _error(401, "authentication_error", "send this endpoint's token as bearer")
        try:
            body = _chat(await request.body())
            answer = await run_in_threadpool(answerer.answer, body["messages"])
        except JudgeError as error:
            return _error(400, "invalid_request_error", str(error))
        return JSONResponse(completion(answerer, body, answer))

    async def failed(request: Request, error: Exception) -> JSONResponse:
        # An answerer that fails once fails again: clients of OpenAI's library shall not retry.
        response = _error(500, "server_error", f"{type(error).__name__}: {error}")
        response.headers["x-should-retry"] = "false"
        return response

    routes = [Route(API, complete, methods=["POST"])]
    return Starlette(routes=routes, exception_handlers={Exception: failed})


def _chat(body: bytes) -> dict[str, Any]:
    """A chat-completions request with at least one message, all of them plain text."""
    problem = "the body is not a chat-completions request with plain-text messages"
    try:
        request = json.loads(body)
        contents = [message["content"] for message in request["messages"]]
    except (ValueError, KeyError, TypeError) as error:
        raise JudgeError(problem) from error
    if not contents or not all(isinstance(content, str) for content in contents):
        raise JudgeError(problem)
    return request


def _error(status: int, kind: str, message: str) -> JSONResponse:
    from starlette.responses import JSONResponse

    body = {"error": {"message": message, "type": kind, "param": None, "code": None}}
    return JSONResponse(body, status_code=status)
