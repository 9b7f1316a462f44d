"""A judge on this machine, for evaluators that are started by hand."""

from __future__ import annotations

import signal
from contextlib import suppress

from plumbline.contracts import Judge
from plumbline.judge import answerer
from plumbline.judge.endpoint import serve


def run(name: str) -> None:
    """Serve the judge `name` until Ctrl-C; ConfigError where there is none of that name."""
    chosen = answerer(name)
    # A shell starts what it puts into the background deaf to Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt), serve(chosen) as judge:
        print(greeting(judge, chosen.note), flush=True)
        signal.pause()


def greeting(judge: Judge, note: str) -> str:
    """Where the judge is, as lines for another shell: who answers stands in a comment."""
    who = f"{judge.name} version {judge.version}" + (f" ({note})" if note else "")
    return (
        f"# {who} answers until Ctrl-C\n"
        f"export OPENAI_BASE_URL={judge.url}\n"
        f"export OPENAI_API_KEY={judge.token}"
    )
