"""Tokenizers of models made here, and conversations as token ids."""

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from plumbline.chat import SPECIAL
from plumbline.model.tokenizer import completion_ids, prompt_ids
from plumbline.toyland import source
from plumbline.toyland.spec import WorldSpec
from plumbline.toyland.world import VOCABULARY

CONVERSATION = [
    {"role": "user", "content": "the cat"},
    {"role": "assistant", "content": "sat on"},
    {"role": "user", "content": "the mat"},
]


def encode(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_special_words_have_the_first_ids(words, bytes_bpe):
    for tokenizer in (words, bytes_bpe):
        assert tokenizer.convert_tokens_to_ids(SPECIAL) == [0, 1, 2, 3, 4]
        assert (tokenizer.pad_token_id, tokenizer.eos_token_id) == (0, 1)


@settings(deadline=None)
@given(st.lists(st.sampled_from(VOCABULARY[len(SPECIAL) :]), min_size=1, max_size=20))
def test_toyland_words_come_back(words, chosen):
    text = " ".join(chosen)
    ids = encode(words, text)
    assert len(ids) == len(chosen) and words.decode(ids) == text


def test_every_text_of_a_toyland_is_spelt_without_unknown_words(words):
    world = WorldSpec(documents=40, demonstrations=20, pairs=20, validation=2, test=2)
    rows = list(source.feedback(world, "train"))
    texts = [text for row in rows for text in row["completions"]]
    texts += [message["content"] for row in rows for message in row["prompt"]]
    texts += [row["text"] for row in source.pretrain(world)]
    assert len(texts) > 100 and all(words.unk_token_id not in encode(words, text) for text in texts)


def test_a_word_outside_the_world_is_unknown(words):
    assert encode(words, "xylophone") == [words.unk_token_id]


@settings(deadline=None)
@given(st.text())
def test_bytes_spell_any_text(bytes_bpe, text):
    assert bytes_bpe.decode(encode(bytes_bpe, text)) == text


def test_merges_are_learnt(bytes_bpe):
    assert len(encode(bytes_bpe, "the cat sat on the mat")) < 22 / 2


@pytest.mark.parametrize("name", ["words", "bytes_bpe"])
def test_prompt_and_answer_are_the_rendered_template(name, request):
    """Training joins them; the template renders the whole at once."""
    tokenizer = request.getfixturevalue(name)
    answer = VOCABULARY[10] if name == "words" else "sat on  the hat"
    joined = prompt_ids(tokenizer, CONVERSATION) + completion_ids(tokenizer, answer)
    whole = tokenizer.apply_chat_template(
        [*CONVERSATION, {"role": "assistant", "content": answer}],
        tokenize=True,
        return_dict=False,
    )
    assert joined == whole[: len(joined)]
    assert tokenizer.decode(whole[len(joined) :]).strip() == "", "a gap at most may follow"


def test_ids_by_hand(words):
    """<user> w <bot>: ids of the first five words are those of chat.SPECIAL."""
    word = VOCABULARY[10]
    assert prompt_ids(words, [{"role": "user", "content": word}]) == [2, 10, 3]
    assert completion_ids(words, word) == [10, 1]
    assert completion_ids(words, "") == [1], "an empty answer still ends"


def test_a_first_turn_is_part_of_the_prompt(words):
    word = VOCABULARY[10]
    turns = [{"role": role, "content": word} for role in ("user", "assistant", "user")]
    assert prompt_ids(words, turns) == [2, 10, 3, 10, 1, 2, 10, 3]


@pytest.fixture(scope="module")
def sentence_piece():
    """A tokenizer that puts a space in front of a text, and a template that ends without one."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    tokenizer.train_from_iterator(
        ["the cat sat on the mat [/INST]"] * 9,
        trainers.BpeTrainer(vocab_size=60, special_tokens=["<unk>", "</s>"], show_progress=False),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="</s>",
        chat_template="{% for m in messages %}{% if m.role == 'user' %}[INST] {{ m.content }} "
        "[/INST]{% else %}{{ m.content }}</s>{% endif %}{% endfor %}",
    )


def test_an_answer_has_no_space_that_its_place_has_not(sentence_piece):
    """Source: the template's own rendering of the whole conversation."""
    alone = encode(sentence_piece, "sat")
    assert sentence_piece.convert_ids_to_tokens(alone)[0].startswith("\N{LOWER ONE EIGHTH BLOCK}")
    whole = sentence_piece.apply_chat_template(
        [*CONVERSATION, {"role": "assistant", "content": "sat"}], tokenize=True, return_dict=False
    )
    found = completion_ids(sentence_piece, "sat")
    assert prompt_ids(sentence_piece, CONVERSATION) + found == whole
    assert found != [*alone, sentence_piece.eos_token_id]


def test_an_answer_that_melts_with_the_templates_last_words_is_spelt_alone(bytes_bpe):
    """Two line breaks are one token of a tokenizer that was trained on them."""
    other = copy.deepcopy(bytes_bpe)
    other.chat_template = "{{ messages[0].content }}th"
    assert encode(other, "the") != [*encode(other, "th"), *encode(other, "e")]
    assert completion_ids(other, "e") == [*encode(other, "e"), other.eos_token_id]


def test_a_saved_tokenizer_is_the_same(words, bytes_bpe, tmp_path):
    from transformers import AutoTokenizer

    for index, tokenizer in enumerate((words, bytes_bpe)):
        tokenizer.save_pretrained(tmp_path / str(index))
        again = AutoTokenizer.from_pretrained(tmp_path / str(index))
        assert prompt_ids(again, CONVERSATION) == prompt_ids(tokenizer, CONVERSATION)
        assert completion_ids(again, "the cat") == completion_ids(tokenizer, "the cat")
        assert again.padding_side == "left"
