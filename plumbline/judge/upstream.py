"""Who answers behind the gateway: a judge on this machine, a server elsewhere, or nobody."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from plumbline.errors import ConfigError, JudgeError
from plumbline.judge.ledger import End, Ledger
from plumbline.judge.wire import Answerer, Asked, Body, NoJudgment, completion
from plumbline.schema import Prices, Upstream

if TYPE_CHECKING:
    import httpx
    import tenacity

#: Tokens that a completion may have where the request does not say.
COMPLETION_TOKENS = 4096
#: Tokens that a chat format may add to a message.
MESSAGE_TOKENS = 16
LONGEST_WAIT_SECONDS = 60.0
#: The only words of an upstream's error that are passed on: its text may quote prompt or key.
CODE = re.compile(r"[a-z_]{1,40}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Source(Protocol):
    """What gives the answers that the ledger has not. model: its name in requests."""

    model: str

    def answer(self, asked: Asked) -> Body:
        """A chat completion, recorded; NoJudgment where there is none."""


class Local:
    """A judge on this machine. It is asked again rather than waited for: it costs nothing."""

    def __init__(self, judge: Answerer, ledger: Ledger) -> None:
        self.judge, self.ledger, self.model = judge, ledger, judge.name

    def answer(self, asked: Asked) -> Body:
        """See `Source.answer`."""
        try:
            said = self.judge.answer(asked.request["messages"])
        except JudgeError as error:
            raise NoJudgment(400, str(error)) from error
        body = completion(self.judge, asked.request, said)
        self.ledger.commit(asked, body)
        return body


class Recorded:
    """Nobody: the ledger is all there is."""

    def __init__(self, model: str) -> None:
        self.model = model

    def answer(self, asked: Asked) -> Body:
        """See `Source.answer`."""
        raise NoJudgment(
            424,
            f"judgment {asked.key} is not in the ledger, and judge.upstream.source is ledger; "
            "import it with `plumbline judge import FILE`, or set source: server",
        )


class Passing(Exception):
    """A failure that may pass. wait: seconds that the upstream asks us to stay away."""

    def __init__(self, reason: str, wait: float = 0.0) -> None:
        super().__init__(reason)
        self.wait = wait


class Server:
    """An OpenAI-compatible server elsewhere, asked at a limited rate, again where it fails.

    Every call is noted in the ledger before it is made. client: its base URL and key.
    """

    def __init__(self, upstream: Upstream, ledger: Ledger, client: httpx.Client) -> None:
        self.upstream, self.ledger, self.client = upstream, ledger, client
        self.model = upstream.model
        self.pace = Pace(upstream.rate_per_minute)

    def answer(self, asked: Asked) -> Body:
        """See `Source.answer`."""
        if found := self.ledger.claim(asked.key):
            return found
        try:
            return self._retrying()(self._call, asked)
        except Passing as error:
            raise NoJudgment(502, f"{error}, {self.upstream.attempts} times") from error
        finally:
            self.ledger.release(asked.key)

    def _retrying(self) -> tenacity.Retrying:
        import tenacity

        backoff = tenacity.wait_random_exponential(
            multiplier=self.upstream.backoff_seconds, max=LONGEST_WAIT_SECONDS
        )
        return tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(Passing),
            stop=tenacity.stop_after_attempt(self.upstream.attempts),
            wait=lambda state: max(backoff(state), state.outcome.exception().wait),
            reraise=True,
        )

    def _call(self, asked: Asked) -> Body:
        """One call with its beginning and its end."""
        import httpx

        most = price(most_tokens(asked), self.upstream.prices)
        self.pace.wait()
        call = self.ledger.begin(asked, most, self.upstream.budget)
        try:
            response = self.client.post("chat/completions", json=asked.request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            reason = "the upstream cannot be reached"
            self.ledger.end(call, End("refused", reason=reason))
            raise Passing(reason) from error
        except httpx.RequestError as error:
            reason = f"the upstream was cut off or silent ({type(error).__name__})"
            self.ledger.end(call, End("unknown", most, reason))
            raise Passing(reason) from error
        if response.status_code != 200:
            raise self._refused(call, response)
        return self._read(call, asked, response, most)

    def _refused(self, call: int, response: httpx.Response) -> Exception:
        """What a status other than 200 means."""
        reason = f"the upstream answered {response.status_code}{error_code(response)}"
        self.ledger.end(call, End("refused", reason=reason))
        if response.status_code in (408, 409, 429) or response.status_code >= 500:
            return Passing(reason, retry_after(response))
        return NoJudgment(502, reason)

    def _read(self, call: int, asked: Asked, response: httpx.Response, most: float) -> Body:
        """The completion in a response of status 200."""
        try:
            body = response.json()
            body["choices"][0]["message"]["content"]  # noqa: B018
            tokens = usage(body)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            reason = "the upstream's answer is not a chat completion"
            self.ledger.end(call, End("unknown", most, reason))
            raise Passing(reason) from error
        cost = price(tokens, self.upstream.prices) if tokens else most
        if not same_model(self.model, body.get("model", "")):
            reason = "another model answered than judge.upstream.model"
            self.ledger.end(call, End("unknown", cost, reason, *(tokens or ())))
            raise NoJudgment(502, reason)
        self.ledger.answer(call, asked, body, End("answered", cost, None, *(tokens or ())))
        return body


class Pace:
    """Lets callers pass at even distances, so many a minute; None is no limit."""

    def __init__(self, per_minute: float | None) -> None:
        self.seconds = 60.0 / per_minute if per_minute else 0.0
        self._next, self._lock = 0.0, Lock()

    def wait(self) -> None:
        """Sleep until it is this caller's turn."""
        with self._lock:
            turn = max(self._next, time.monotonic())
            self._next = turn + self.seconds
        time.sleep(max(0.0, turn - time.monotonic()))


@contextmanager
def connected(upstream: Upstream) -> Iterator[httpx.Client]:
    """A client with the upstream's key, which leaves the environment while it lasts: what this
    process starts shall not inherit it. ConfigError where the key is not there."""
    import httpx

    key = None
    if upstream.key_env:
        key = os.environ.pop(upstream.key_env, None)
        if not key:
            raise ConfigError(
                f"judge.upstream.key_env: the environment has no {upstream.key_env}; type "
                f"`export {upstream.key_env}=...` and run again"
            )
    client = httpx.Client(
        base_url=upstream.base_url,
        headers={"Authorization": f"Bearer {key}"} if key else {},
        timeout=upstream.timeout_seconds,
        # A proxy of the environment must not see what stays on this machine.
        trust_env=urlsplit(upstream.base_url).hostname not in LOOPBACK,
    )
    try:
        with client:
            yield client
    finally:
        if key:
            os.environ[upstream.key_env] = key


def most_tokens(asked: Asked) -> tuple[int, int]:
    """The most (prompt, completion) tokens of a question: no token is shorter than a byte."""
    request = asked.request
    prompt = sum(len(item["content"].encode()) + MESSAGE_TOKENS for item in request["messages"])
    limit = request.get("max_tokens") or request.get("max_completion_tokens")
    return prompt, limit or COMPLETION_TOKENS


def price(tokens: tuple[int, int], prices: Prices | None) -> float:
    """US dollars for (prompt, completion) tokens; 0 without prices."""
    if prices is None:
        return 0.0
    return (tokens[0] * prices.prompt + tokens[1] * prices.completion) / 1e6


def usage(body: Body) -> tuple[int, int] | None:
    """(prompt, completion) tokens by the upstream's own count, where it gives one."""
    found = body.get("usage")
    return (found["prompt_tokens"], found["completion_tokens"]) if found else None


def same_model(asked: str, answered: Any) -> bool:
    """Whether a server that was asked for a model answered with it, or with a dated version of it.

    A server that does not say is believed.
    """
    return not answered or answered == asked or str(answered).startswith(f"{asked}-")


def error_code(response: httpx.Response) -> str:
    """` (code)` of an error in OpenAI's form, or nothing."""
    try:
        error = response.json()["error"]
        found = str(error.get("code") or error.get("type"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""
    return f" ({found})" if CODE.fullmatch(found) else ""


def retry_after(response: httpx.Response) -> float:
    """Seconds of a Retry-After header, a number or a date; 0 without one, a minute at most."""
    said = response.headers.get("retry-after", "")
    try:
        seconds = float(said) if said.replace(".", "", 1).isdigit() else _until(said)
    except ValueError:
        seconds = 0.0
    return min(max(seconds, 0.0), LONGEST_WAIT_SECONDS)


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time() if date else 0.0
