"""The gateway: every question to a judge goes through it; what the ledger has is not asked again.

It is an endpoint on this machine for as long as the command lasts that needs it, and it alone holds
the upstream's key.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from plumbline.contracts import Judge
from plumbline.judge import answerer
from plumbline.judge.endpoint import serve
from plumbline.judge.ledger import Ledger
from plumbline.judge.upstream import Local, Recorded, Server, Source, connected
from plumbline.judge.wire import Asked, Body, Request
from plumbline.schema import JudgeChoice


class Gateway:
    """Answers a judge's questions, each for once and for all. name, version: of the judge. note:
    what a reader of its numbers has to know, or ""."""

    def __init__(
        self, name: str, version: str, source: Source, ledger: Ledger, note: str = ""
    ) -> None:
        self.name, self.version, self.note = name, version, note
        self.source, self.ledger = source, ledger

    def complete(self, request: Request) -> Body:
        """A chat completion whose id is the judgment's key; NoJudgment where there is none."""
        asked = Asked.of(self.name, self.version, self.source.model, request)
        return (self.ledger.find(asked.key) or self.source.answer(asked)) | {"id": asked.key}


@contextmanager
def gateway(choice: JudgeChoice, path: Path) -> Iterator[Gateway]:
    """The gateway to the judge of an experiment, with the ledger at `path`.

    Raises ConfigError where the upstream's key is not in the environment.
    """
    upstream = choice.upstream
    with closing(Ledger(path, paid=upstream is not None)) as ledger, ExitStack() as stack:
        if upstream is None:
            local = answerer(choice.name)
            yield Gateway(*choice.identity, Local(local, ledger), ledger, local.note)
            return
        if upstream.source == "ledger":
            source: Source = Recorded(upstream.model)
        else:
            source = Server(upstream, ledger, stack.enter_context(connected(upstream)))
        yield Gateway(*choice.identity, source, ledger)


@contextmanager
def judge(choice: JudgeChoice, path: Path) -> Iterator[Judge]:
    """The judge of an experiment as an endpoint, while the context lasts."""
    with gateway(choice, path) as answering, serve(answering) as served:
        yield served
