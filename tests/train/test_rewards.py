"""Rewards: three sizes of a model of preferences, what each is asked, and whom it chooses."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import sparse

from plumbline import config
from plumbline.artifacts import read_json, read_rows, write_json, write_rows
from plumbline.data.preference_variance import kept, teaches
from plumbline.errors import IntegrityError
from plumbline.model.folder import load
from plumbline.rows import FEEDBACK
from plumbline.schema import Execution, Prompts
from plumbline.train import base
from plumbline.train.bradley_terry import REWARDS, linear, of_model, of_states, of_words
from plumbline.train.reference import examples, reference
from plumbline.train.rewards import chosen_pairs, rewards
from plumbline.train.run import Bench


@pytest.fixture(scope="module")
def model(setting, folders):
    """The SFT model of the setting, of random weights, and its tokenizer."""
    tokenizer = base.word_tokenizer(base.VOCABULARY)
    base._finish(base.scratch_model(setting.model, tokenizer), tokenizer, folders.sft, {})
    return load(folders.sft.model)


@pytest.fixture(scope="module")
def table(setting, folders, model):
    """The rewards of `words`, by id."""
    rewards(setting, folders, "words", Execution())
    return {row["id"]: row["rewards"] for row in read_rows(folders.rewards("words"))}


@pytest.fixture
def lesson(setting, folders, model):
    """Forty texts, of which those with token 7 in the answer were chosen over the others."""
    prompts = [(1, 2, 3 + index) for index in range(20)]
    texts = [(prompt, answer) for prompt in prompts for answer in ((7, 5, 4), (6, 5, 4))]
    pairs = [(2 * index, 2 * index + 1) for index in range(20)]
    return SimpleNamespace(
        setting=setting, folders=folders, execution=Execution(), texts=texts, pairs=pairs
    )


def test_the_experiment_file_knows_every_reward():
    assert set(Prompts.model_fields["reward"].annotation.__args__) == set(REWARDS)


@pytest.mark.parametrize("made", [np.asarray, sparse.csr_matrix])
def test_a_linear_reward_finds_what_was_preferred(made):
    """Pairs of which the first has more of the first feature; the second feature says nothing."""
    features = made([[2.0, 1.0], [1.0, 1.0], [5.0, 0.0], [3.0, 0.0], [0.0, 9.0], [-2.0, 9.0]])
    found = linear(features, [(0, 1), (2, 3), (4, 5)])
    assert np.argsort(found).tolist() == [5, 4, 1, 0, 3, 2]
    assert found[0] - found[1] == pytest.approx((found[2] - found[3]) / 2)


@pytest.mark.parametrize("kind", [of_states, of_words])
def test_small_rewards_prefer_what_was_chosen(lesson, kind):
    found = kind(lesson)
    assert found.shape == (40,)
    assert (found[0::2] > found[1::2]).all()


def test_words_do_not_read_the_prompt(lesson):
    assert Counter(of_words(lesson).round(9)).most_common(2)[1][1] == 20


def test_states_are_those_after_the_last_token(lesson, model, monkeypatch):
    """Source: one unpadded row at a time. The texts are of unlike length."""
    lesson.texts = [((1, 2), tuple(range(3, 4 + index % 5))) for index in range(10)]
    monkeypatch.setattr("plumbline.train.bradley_terry.linear", lambda features, pairs: features)
    found = of_states(lesson)
    for row, (prompt, answer) in zip(found, lesson.texts, strict=True):
        with torch.no_grad():
            hidden = model[0].base_model(torch.tensor([[*prompt, *answer]])).last_hidden_state
        assert row == pytest.approx(hidden[0, -1].numpy(), abs=1e-5)


def test_a_fine_tuned_reward_is_trained_by_the_recipe(lesson, setting):
    """With a higher rate, the chosen answers are ahead; 20 pairs in batches of 2 are 30 steps."""
    recipe = setting.sft.model_copy(update={"batch": 2, "learning_rate": 0.01})
    lesson.setting = setting.model_copy(update={"sft": recipe})
    found = of_model(lesson)
    assert (found[0::2] > found[1::2]).all()
    assert of_model(lesson) == pytest.approx(found, abs=1e-6)


def test_every_answer_to_a_prompt_that_did_not_teach_has_a_reward(folders, table):
    rows = [row for row in read_rows(folders.data("train")) if not teaches(row["prompt"], 0)]
    assert 4 < len(rows) < 20
    assert {row["id"]: len(row["completions"]) for row in rows} == {
        id: len(values) for id, values in table.items()
    }


def test_a_reward_learns_from_its_own_prompts_alone(setting, folders, table):
    """With all labels of the others exchanged, the rewards stay what they were."""
    path = folders.data("train")
    before, rows = path.read_bytes(), read_rows(path)
    turned = [
        row
        if teaches(row["prompt"], 0)
        else row | {"chosen": row["rejected"], "rejected": row["chosen"]}
        for row in rows
    ]
    try:
        write_rows(path, turned, FEEDBACK)
        rewards(setting, folders, "words", Execution())
        again = {row["id"]: row["rewards"] for row in read_rows(folders.rewards("words"))}
    finally:
        path.write_bytes(before)
    assert again == table


def test_chosen_pairs_are_labelled_by_the_reward(setting, folders, model, table):
    prompts = Prompts(reward="words", share=0.5, order="highest")
    given = examples(setting, folders, "pairs", model[1])
    found = chosen_pairs(given, setting, folders, prompts)
    assert {item.id for item in found} == kept(table, prompts, setting.data.seed)
    rows = {row["id"]: row for row in read_rows(folders.data("train"))}
    own = {item.id: item for item in given}
    turned = 0
    for item in found:
        row = rows[item.id]
        ahead = table[item.id][row["chosen"]] - table[item.id][row["rejected"]]
        expected = own[item.id].completions[:: 1 if ahead >= 0 else -1]
        assert item.completions == expected
        turned += ahead < 0
    assert 0 < turned < len(found)


def test_rewards_of_another_model_are_refused(setting, folders, model, table):
    record = read_json(folders.sft.record)
    try:
        write_json(folders.sft.record, record | {"model": "other"})
        with pytest.raises(IntegrityError, match="words.parquet was made from another model"):
            chosen_pairs([], setting, folders, Prompts(reward="words"))
    finally:
        write_json(folders.sft.record, record)


def test_a_share_of_the_prompts_takes_the_steps_of_all(raw, folders, setting, model, table):
    """Shares are seen 1 / share times; the run's parts tell one choice from another."""
    reference(setting, folders, "pairs", Execution())
    shares = {f"v{share}": {"reward": "words", "share": share / 10} for share in (5, 10)}
    methods = {name: {"like": "dpo", "prompts": choice} for name, choice in shares.items()}
    chosen = config.parse(raw | {"methods": raw["methods"] | methods})
    plain, half, whole = (Bench(chosen, folders, name) for name in ("dpo", "v5", "v10"))
    assert [bench.recipe.epochs for bench in (plain, half, whole)] == [1, 2, 1]
    assert len(half.examples) == round(len(whole.examples) / 2) < len(plain.examples) / 2
    assert half.parts()["prompts"]["share"] == 0.5 and "prompts" not in plain.parts()
    assert half.parts() != whole.parts()
