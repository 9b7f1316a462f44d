"""Asking a judge many questions over one pool of connections."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from plumbline.contracts import Judge
from plumbline.errors import JudgeError
from plumbline.judge.wire import Request

if TYPE_CHECKING:
    import httpx


#: Statuses of a prompt that the judge cannot read, and of an endpoint that is not ours.
UNREADABLE = 400
STRANGER = (401, 403, 404)


@dataclass(frozen=True)
class Reply:
    """A judge's reply to one request.

    choice: OpenAI's `choices[0]` as a dict, or None where the judge gave no answer; then `reason`
    says why, and `refused` whether it is the prompt that the judge cannot read. key: the
    judgment's key.
    """

    choice: dict[str, Any] | None
    key: str | None = None
    reason: str | None = None
    refused: bool = False

    @property
    def text(self) -> str:
        """The judge's message; "" where there is none."""
        return self.choice["message"]["content"] or "" if self.choice else ""


def ask_all(judge: Judge, requests: Sequence[Request], *, workers: int = 4) -> list[Reply]:
    """Ask `judge` all `requests` (arguments of chat completions, without the model); replies come
    in the same order.

    A request that the judge refuses, or that the gateway could not get answered, is a reply
    without choice. JudgeError where nothing was answered at all, or the endpoint itself is wrong:
    unreachable, or it does not know us.
    """
    from tqdm import tqdm

    with _client(judge, workers) as client, ThreadPoolExecutor(workers) as pool:
        asked = pool.map(lambda request: _ask(client, judge, request), requests)
        # disable=None: a bar on a terminal, nothing in a log.
        bar = tqdm(asked, judge.name, len(requests), unit="judgment", delay=2, disable=None)
        replies = list(bar)
    failed = [reply.reason for reply in replies if reply.choice is None and not reply.refused]
    if requests and len(failed) == len(requests):
        raise JudgeError(f"judge {judge.name!r} gave no judgment at all: {failed[0]}")
    return replies


def _client(judge: Judge, workers: int) -> httpx.Client:
    import httpx

    return httpx.Client(
        base_url=judge.url,
        headers={"Authorization": f"Bearer {judge.token}"},
        # Retries and time limits are the gateway's.
        timeout=None,
        limits=httpx.Limits(max_connections=workers, max_keepalive_connections=workers),
        # The endpoint is on this machine: a proxy of the environment must not see it.
        trust_env=False,
    )


def _ask(client: httpx.Client, judge: Judge, request: Request) -> Reply:
    import httpx

    try:
        response = client.post("chat/completions", json={"model": judge.name, **request})
    except httpx.RequestError as error:
        raise JudgeError(f"judge {judge.name!r} cannot be reached at {judge.url}") from error
    body = response.json()
    if response.status_code in STRANGER:
        problem = body["error"]["message"]
        raise JudgeError(f"{judge.url} does not serve judge {judge.name!r}: {problem}")
    if response.status_code != 200:
        refused = response.status_code == UNREADABLE
        return Reply(None, reason=f"no judgment: {body['error']['message']}", refused=refused)
    return Reply(body["choices"][0], body["id"])
