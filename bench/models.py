"""The models and the batches of the works: random weights, Toyland's rows or random words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from random import Random
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from bench.works import Work
from plumbline.artifacts import derive_seed
from plumbline.chat import SPECIAL
from plumbline.data import views
from plumbline.model.folder import scratch_model
from plumbline.model.tokenizer import word_tokenizer
from plumbline.schema import Align, ScratchModel
from plumbline.toyland.source import WorldSpec, feedback
from plumbline.toyland.world import VOCABULARY
from plumbline.train.examples import tokenise
from plumbline.train.order import epoch_order

Row = dict[str, Any]
SEED = 0
RECIPE = Align(learning_rate=1e-4, warmup_steps=10)
#: Words of the vocabulary of the models that are not Toyland's.
WORDS = 50_304


def make_tokenizer(work: Work) -> PreTrainedTokenizerBase:
    """Toyland's words, or as many numbered ones as `WORDS` says."""
    if work.tokens is None:
        return word_tokenizer(VOCABULARY)
    return word_tokenizer([*SPECIAL, *map(_word, range(len(SPECIAL), WORDS))])


def make_model(work: Work, tokenizer: PreTrainedTokenizerBase) -> PreTrainedModel:
    """A GPT-NeoX with random weights, the same ones every time."""
    choice = ScratchModel(
        architecture="gpt_neox",
        hidden_size=work.hidden_size,
        layers=work.layers,
        heads=work.heads,
        max_positions=work.tokens or 160,
        tokenizer="toyland",
    )
    return scratch_model(choice, tokenizer)


def view(work: Work, kind: str, steps: int, tokenizer: PreTrainedTokenizerBase) -> list[Row]:
    """View rows of one feedback, enough for `steps` steps."""
    source = feedback(WorldSpec(), "train") if work.tokens is None else _random_rows(work)
    rows = list(islice(source, work.prompts * steps))
    if kind == "pairs":
        return views.pairs(rows)
    if kind == "lists":
        return views.lists(rows, work.responses, SEED)
    singles = views.singles(rows, SEED)
    return _rotated(singles, visiting(work, kind, singles, tokenizer), work.examples(kind))


def visiting(
    work: Work, kind: str, rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """Indices of view rows in the order in which `align` visits them."""
    lengths = [example.length for example in tokenise(rows, kind, tokenizer, RECIPE)]
    return epoch_order(lengths, work.examples(kind), derive_seed("order", SEED, 0))


def _rotated(rows: Sequence[Row], order: Sequence[int], batch: int) -> list[Row]:
    """Rows whose mismatched completion is the one that TRL takes: its neighbour's in the batch."""
    parts = [order[start : start + batch] for start in range(0, len(order), batch)]
    neighbour = {
        row: other for part in parts for other, row in zip(part, part[1:] + part[:1], strict=True)
    }
    return [
        row | {"mismatched": rows[neighbour[index]]["completion"]} for index, row in enumerate(rows)
    ]


def _word(index: int) -> str:
    return f"w{index}"


def _random_rows(work: Work) -> Iterator[Row]:
    """Feedback on random words; with the chat format's own tokens both halves are of one length."""
    draw, half = Random(SEED), work.tokens // 2
    words = [_word(index) for index in range(len(SPECIAL), WORDS)]
    for number in count():
        scores = [draw.random() for _ in range(work.responses)]
        yield {
            "id": f"row-{number}",
            "prompt": [{"role": "user", "content": " ".join(draw.choices(words, k=half - 2))}],
            "completions": [" ".join(draw.choices(words, k=half - 1)) for _ in scores],
            "scores": scores,
            "chosen": scores.index(max(scores)),
            "rejected": scores.index(min(scores)),
        }
