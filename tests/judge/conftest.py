"""Judge prompts as the evaluators send them."""

from pathlib import Path

import pytest


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
