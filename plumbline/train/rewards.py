"""Rewards: trained on the pairs of most prompts, asked about the answers to the others."""

from __future__ import annotations

from itertools import accumulate, compress, pairwise
from statistics import fmean
from typing import Any

from plumbline.artifacts import is_current, read_rows, write_rows
from plumbline.data.preference_variance import ORDERS, kept, teaches
from plumbline.errors import IntegrityError
from plumbline.layout import SettingFolder
from plumbline.model.folder import load_tokenizer
from plumbline.rows import REWARDS
from plumbline.schema import Execution, Prompts, Setting
from plumbline.train.examples import Example, labelled, tokenise
from plumbline.train.language import Text
from plumbline.train.reference import fingerprint

Row = dict[str, Any]
#: The columns of a feedback row that say which of its completions are a pair.
SIDES = ("chosen", "rejected")


def rewards(setting: Setting, folders: SettingFolder, reward: str, execution: Execution) -> None:
    """Train one reward and write `rewards/{reward}.parquet`, of the rows that did not teach it."""
    from plumbline.train import bradley_terry  # its library takes a second

    rows = read_rows(folders.data("train"))
    taught = [teaches(row["prompt"], setting.data.seed) for row in rows]
    spans = list(pairwise(accumulate((len(row["completions"]) for row in rows), initial=0)))
    pairs = [
        (start + row["chosen"], start + row["rejected"])
        for row, (start, _) in compress(zip(rows, spans, strict=True), taught)
    ]
    texts = _texts(rows, setting, folders)
    lesson = bradley_terry.Lesson(setting, folders, execution, texts, pairs)
    found = bradley_terry.REWARDS[reward](lesson)
    others = [not known for known in taught]
    table = [
        {"id": row["id"], "rewards": found[start:end].tolist()}
        for row, (start, end) in compress(zip(rows, spans, strict=True), others)
    ]
    write_rows(folders.rewards(reward), table, REWARDS, made_from(setting, folders, reward))
    _tell(list(compress(rows, others)), table, reward, setting.data.seed)


def _tell(rows: list[Row], table: list[Row], reward: str, seed: int) -> None:
    """Print how often a reward agrees with the data's labels, by preference variance."""
    found = {row["id"]: row["rewards"] for row in table}
    agrees = {
        row["id"]: own["rewards"][row["chosen"]] > own["rewards"][row["rejected"]]
        for row, own in zip(rows, table, strict=True)
    }
    for order in ORDERS:
        ids = kept(found, Prompts(reward=reward, order=order, share=0.1), seed)
        share = fmean(agrees[id] for id in ids)
        print(f"{reward}: prefers what was chosen in {share:.3f} of the {order} tenth")
    print(f"{reward}: prefers what was chosen in {fmean(agrees.values()):.3f} of {len(rows)} rows")


def _texts(rows: list[Row], setting: Setting, folders: SettingFolder) -> list[Text]:
    """Every answer of the rows with its prompt, cut as pairs are."""
    tokenizer = load_tokenizer(folders.sft.model)
    lists = tokenise([row | {"scores": ()} for row in rows], "lists", tokenizer, setting.align)
    return [(item.prompt, answer) for item in lists for answer in item.completions]


def made_from(setting: Setting, folders: SettingFolder, reward: str) -> Row:
    """What decides a reward: pairs, truncation, the SFT model, and how it is trained."""
    recipe = setting.sft and setting.sft.model_dump()
    return fingerprint(setting, folders, "pairs") | {"reward": reward, "recipe": recipe}


def chosen_pairs(
    given: list[Example], setting: Setting, folders: SettingFolder, prompts: Prompts
) -> list[Example]:
    """The pairs of the prompts to train on, each labelled by the reward that chose them.

    Raises IntegrityError where the rewards were made from another model or other data.
    """
    path = folders.rewards(prompts.reward)
    if not is_current(path, made_from(setting, folders, prompts.reward)):
        raise IntegrityError(
            f"{path} was made from another model or other data; delete it and run again"
        )
    found = {row["id"]: row["rewards"] for row in read_rows(path)}
    ids = kept(found, prompts, setting.data.seed)
    rows = {row["id"]: row for row in read_rows(folders.data("train"))}
    given = [item for item in given if item.id in ids]
    scores = [[found[item.id][rows[item.id][side]] for side in SIDES] for item in given]
    return labelled(given, scores)
