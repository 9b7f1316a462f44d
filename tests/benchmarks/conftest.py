"""Models' answers, judges and data for the benchmarks, all of Toyland and tiny."""

import json
import socket
from types import ModuleType

import pytest
from served import served

from plumbline import Data, Responses
from plumbline.judge import answerer
from plumbline.plugins import benchmark_spec, load_benchmark


@pytest.fixture(scope="session")
def module():
    """Load a benchmark by name, once."""
    loaded: dict[str, ModuleType] = {}

    def load(name: str) -> ModuleType:
        if name not in loaded:
            loaded[name] = load_benchmark(benchmark_spec(name))
        return loaded[name]

    return load


@pytest.fixture(scope="session")
def tasks_module(module) -> ModuleType:
    return module("lm_eval_tasks")


@pytest.fixture(scope="session")
def gold_judge():
    with served(answerer("toyland-gold")) as judge:
        yield judge


@pytest.fixture(scope="session")
def surface_judge():
    with served(answerer("surface-judge")) as judge:
        yield judge


@pytest.fixture(scope="session")
def toyland_data() -> Data:
    return Data(folder="", source="toyland", seed=0)


@pytest.fixture
def respond(tmp_path):
    """Answers to prompt rows by a function of the prompt row, as a model's responses. Payloads go
    through JSON, as between the stages."""

    def responses(prompts, answers, name="model") -> Responses:
        rows = [
            {**row, "payload": json.loads(json.dumps(row["payload"])), "answers": answers(row)}
            for row in prompts
        ]
        for row in rows:
            row["finished"] = [True] * len(row["answers"] or [])
            row["tokens"] = [len(text.split()) for text in row["answers"] or []]
        return Responses(rows, name, str(tmp_path))

    return responses


@pytest.fixture
def no_network(monkeypatch):
    """Any connection but to this machine fails."""
    connect = socket.socket.connect

    def local_only(self, address):
        if self.family != socket.AF_UNIX and address[0] not in ("127.0.0.1", "::1"):
            raise AssertionError(f"asked the network: {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", local_only)
