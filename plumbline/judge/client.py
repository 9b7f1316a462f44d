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
    from openai import OpenAI


BAD_REQUEST = 400


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

    with _client(judge) as client, ThreadPoolExecutor(workers) as pool:
        asked = pool.map(lambda request: _ask(client, judge, request), requests)
        # disable=None: a bar on a terminal, nothing in a log.
        bar = tqdm(asked, judge.name, len(requests), unit="judgment", delay=2, disable=None)
        replies = list(bar)
    failed = [reply.reason for reply in replies if reply.choice is None and not reply.refused]
    if requests and len(failed) == len(requests):
        raise JudgeError(f"judge {judge.name!r} gave no judgment at all: {failed[0]}")
    return replies


def _client(judge: Judge) -> OpenAI:
    import openai

    return openai.OpenAI(
        base_url=judge.url,
        api_key=judge.token,
        # Retries and time limits are the gateway's.
        max_retries=0,
        timeout=None,
        # The endpoint is on this machine: a proxy of the environment must not see it.
        http_client=openai.DefaultHttpxClient(trust_env=False),
    )


def _ask(client: OpenAI, judge: Judge, request: Request) -> Reply:
    import openai

    try:
        completion = client.chat.completions.create(model=judge.name, **request)
    except (
        openai.AuthenticationError,
        openai.PermissionDeniedError,
        openai.NotFoundError,
    ) as error:
        raise JudgeError(f"{judge.url} does not serve judge {judge.name!r}: {error}") from error
    except openai.APIStatusError as error:
        refused = error.status_code == BAD_REQUEST
        return Reply(None, reason=f"no judgment: {error.body['message']}", refused=refused)
    except openai.APIConnectionError as error:
        raise JudgeError(f"judge {judge.name!r} cannot be reached at {judge.url}") from error
    return Reply(completion.choices[0].model_dump(), completion.id)
