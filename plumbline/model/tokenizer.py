"""Tokenizers of models made here, and how a conversation becomes token ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from plumbline.chat import SPECIAL, template
from plumbline.splits import Message


def word_tokenizer(vocabulary: Sequence[str]) -> PreTrainedTokenizerFast:
    """A tokenizer of whole words between spaces; the first five words are `chat.SPECIAL`."""
    ids = {word: index for index, word in enumerate(vocabulary)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return _wrap(tokenizer, gap=" ")


def byte_bpe(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer trained on `texts`; it can spell any text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return _wrap(tokenizer, gap="")


def _wrap(tokenizer: Tokenizer, gap: str) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        unk_token="<unk>",
        additional_special_tokens=["<user>", "<bot>"],
        chat_template=template(gap),
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def prompt_ids(tokenizer: PreTrainedTokenizerBase, prompt: Sequence[Message]) -> list[int]:
    """Token ids of a conversation up to the point where the assistant speaks."""
    return tokenizer.apply_chat_template(
        list(prompt), add_generation_prompt=True, tokenize=True, return_dict=False
    )


def completion_ids(tokenizer: PreTrainedTokenizerBase, completion: str) -> list[int]:
    """Token ids of an answer, its end token included.

    They are read off where an answer stands, after the chat template's last words: SentencePiece
    puts a space in front of a text, but not into the middle of one. A completion whose first
    letters would melt with these words (a second line break, say) is tokenised alone.
    """
    before, start = _lead_in(tokenizer, tokenizer.chat_template)
    whole = tokenizer(before + completion, add_special_tokens=False)["input_ids"]
    if whole[: len(start)] == start:
        return [*whole[len(start) :], tokenizer.eos_token_id]
    alone = tokenizer(completion, add_special_tokens=False)["input_ids"]
    return [*alone, tokenizer.eos_token_id]


@lru_cache(maxsize=4)
def _lead_in(tokenizer: PreTrainedTokenizerBase, template: str) -> tuple[str, list[int]]:
    """What a chat template says before an answer, and its token ids: the same for every answer."""
    question = [{"role": "user", "content": "a"}]
    before = tokenizer.apply_chat_template(
        question, chat_template=template, add_generation_prompt=True, tokenize=False
    )
    return before, tokenizer(before, add_special_tokens=False)["input_ids"]
