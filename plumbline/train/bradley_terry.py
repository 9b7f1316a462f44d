"""Rewards of Bradley and Terry: the probability that an answer beats another is sigma(r - r').

Of three sizes, by what is trained: all weights of the SFT model with a head, a head on its frozen
states, or one number for each token of the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from plumbline.artifacts import derive_seed
from plumbline.layout import SettingFolder
from plumbline.model.folder import load
from plumbline.model.logprobs import TOKENS, passes
from plumbline.schema import Execution, Setting
from plumbline.train.language import Text

#: Times that a reward with all weights sees its pairs.
EPOCHS = 3
Features = np.ndarray | sparse.csr_matrix


@dataclass(frozen=True)
class Lesson:
    """texts: all answers with their prompts. pairs: places of a chosen and a rejected one."""

    setting: Setting
    folders: SettingFolder
    execution: Execution
    texts: Sequence[Text]
    pairs: Sequence[tuple[int, int]]


def of_model(lesson: Lesson) -> np.ndarray:
    """By the SFT model with a head, all weights trained for `EPOCHS`, else by the `sft` recipe."""
    from plumbline.train import trl_reward  # TRL takes seconds to import

    steps = max(1, EPOCHS * len(lesson.pairs) // lesson.setting.sft.batch)
    recipe = lesson.setting.sft.model_copy(update={"steps": steps})
    whole = [[*prompt, *answer] for prompt, answer in lesson.texts]
    pairs = [(whole[chosen], whole[rejected]) for chosen, rejected in lesson.pairs]
    seed = derive_seed("reward", lesson.setting.data.seed)
    with TemporaryDirectory() as work:
        model = trl_reward.fit(
            lesson.folders.sft, pairs, recipe, seed, Path(work), lesson.execution
        )
    return _by_passes(model, lesson.texts, lambda ids, _: model(input_ids=ids).logits[:, 0])


def of_states(lesson: Lesson) -> np.ndarray:
    """By a linear function of the SFT model's last state at the answer's last token."""
    model, _ = load(lesson.folders.sft.model, lesson.execution.attention)

    def states(ids: Tensor, lengths: Tensor) -> Tensor:
        hidden = model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        return hidden[torch.arange(len(ids)), lengths - 1]

    return linear(_by_passes(model, lesson.texts, states), lesson.pairs)


def of_words(lesson: Lesson) -> np.ndarray:
    """By a linear function of how often each token is in the answer; the prompt is not read."""
    counts = CountVectorizer(analyzer=lambda ids: ids, dtype=np.float64)
    answers = [answer for _, answer in lesson.texts]
    return linear(counts.fit_transform(answers), lesson.pairs)


#: What `prompts.reward` may be in an experiment file.
REWARDS: dict[str, Callable[[Lesson], np.ndarray]] = {
    "model": of_model,
    "head": of_states,
    "words": of_words,
}


def linear(features: Features, pairs: Sequence[tuple[int, int]]) -> np.ndarray:
    """Rewards [N] from features [N, F]: logistic regression, with scikit-learn's penalty on scaled
    features, of who was chosen on the difference of a pair's features."""
    chosen, rejected = (list(side) for side in zip(*pairs, strict=True))
    gaps = features[chosen] - features[rejected]
    stack = sparse.vstack if sparse.issparse(gaps) else np.vstack
    model = make_pipeline(
        StandardScaler(with_mean=False), LogisticRegression(fit_intercept=False, max_iter=1000)
    )
    model.fit(stack([gaps, -gaps]), np.repeat([1, 0], len(pairs)))
    return model.decision_function(features)


@torch.no_grad()
def _by_passes(
    model: PreTrainedModel, texts: Sequence[Text], ask: Callable[[Tensor, Tensor], Tensor]
) -> np.ndarray:
    """What `ask` says of ids [B, L], padded on the right, and lengths [B]; in the texts' order."""
    rows = [torch.tensor([*prompt, *answer]) for prompt, answer in texts]
    found = {}
    for places in passes([len(row) for row in rows], TOKENS):
        several = [rows[place] for place in places]
        ids = pad_sequence(several, batch_first=True, padding_value=model.config.pad_token_id)
        lengths = torch.tensor([len(row) for row in several])
        values = ask(ids.to(model.device), lengths.to(model.device)).float().cpu().numpy()
        found |= dict(zip(places, values, strict=True))
    return np.stack([found[place] for place in range(len(rows))])
