"""Judge prompts as the evaluators send them."""

from pathlib import Path

import pytest

from plumbline.plugins import benchmark_spec, load_benchmark


@pytest.fixture(scope="session")
def choice():
    """Messages that ask which of responses A and B is better, as hh_win_rate writes them."""
    template = load_benchmark(benchmark_spec("hh_win_rate")).PROMPT

    def messages(conversation: str, first: str, second: str) -> list[dict[str, str]]:
        text = template.format(conversation=conversation, first=first, second=second)
        return [{"role": "user", "content": text}]

    return messages


@pytest.fixture(scope="session")
def comparison_template() -> str:
    """AlpacaEval's weighted comparison, from the installed package (without importing it)."""
    from importlib.util import find_spec

    package = Path(find_spec("alpaca_eval").origin).parent
    template = package / "evaluators_configs" / "alpaca_eval_clf_gpt4_turbo"
    return (template / "alpaca_eval_clf.txt").read_text()


@pytest.fixture(scope="session")
def comparison(comparison_template):
    """Messages that ask which of two outputs is better."""

    def messages(instruction: str, first: str, second: str) -> list[dict[str, str]]:
        text = comparison_template.replace("{instruction}", instruction)
        text = text.replace("{output_1}", first).replace("{output_2}", second)
        user = text.split("<|im_start|>user\n")[1].split("<|im_end|>")[0]
        return [{"role": "user", "content": user}]

    return messages
