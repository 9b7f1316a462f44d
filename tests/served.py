"""A judge of this machine behind a gateway of its own, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from plumbline.contracts import Judge
from plumbline.judge.endpoint import serve
from plumbline.judge.gateway import Gateway
from plumbline.judge.ledger import Ledger
from plumbline.judge.upstream import Local
from plumbline.judge.wire import Answerer


@contextmanager
def served(answerer: Answerer) -> Iterator[Judge]:
    """Serve an answerer, with a ledger that is thrown away."""
    with TemporaryDirectory() as folder, closing(Ledger(Path(folder) / "l.sqlite")) as ledger:
        source = Local(answerer, ledger)
        with serve(Gateway(answerer.name, answerer.version, source, ledger)) as judge:
            yield judge
