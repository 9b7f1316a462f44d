"""The canary stops a chat format that training and evaluation would not share."""

import copy

import pytest
from tokenizers.processors import TemplateProcessing

from plumbline.artifacts import read_json
from plumbline.errors import ConfigError, IntegrityError
from plumbline.model.canary import canary, keep

PROMPT = [{"role": "user", "content": "the cat"}]


@pytest.fixture
def changed(bytes_bpe):
    """The byte tokenizer with another chat template and a start token."""

    def make(template: str):
        tokenizer = copy.deepcopy(bytes_bpe)
        tokenizer.bos_token = "<unk>"
        tokenizer.chat_template = template
        return tokenizer

    return make


def template(start: str = "", answer: str = "<bot>{{ m.content }}<eos>") -> str:
    """A chat template with a start and a way to render answers, asked with <bot>."""
    return (
        start + "{% for m in messages %}{% if m.role == 'user' %}<user>{{ m.content }}"
        "{% else %}" + answer + "{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<bot>{% endif %}"
    )


@pytest.mark.parametrize("name", ["words", "bytes_bpe"])
def test_models_made_here_pass(name, request):
    tokenizer = request.getfixturevalue(name)
    proof = canary(tokenizer, PROMPT, "sat")
    assert proof["conversation"][: len(proof["prompt"])] == proof["prompt"]
    assert proof["conversation"][-1] == tokenizer.eos_token_id
    assert proof["text"] == tokenizer.decode(proof["conversation"])


@pytest.mark.parametrize("after", ["", "\n", "<user>"])
def test_what_follows_the_end_token_is_not_trained_on(changed, after):
    tokenizer = changed(template("<unk>", "<bot>{{ m.content }}<eos>" + after))
    assert canary(tokenizer, PROMPT, "sat")["conversation"][-1] == tokenizer.eos_token_id


def test_a_doubled_start(changed):
    with pytest.raises(
        ConfigError, match="starts with '<unk>' twice.*remove it from one"
    ) as caught:
        canary(changed(template("<unk><unk>")), PROMPT, "sat")
    assert "with one start" in str(caught.value)


def test_one_start_passes_although_the_tokenizer_would_add_another(changed):
    """Templates are tokenised without the tokenizer's own special tokens."""
    tokenizer = changed(template("<unk>"))
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<unk> $A", special_tokens=[("<unk>", tokenizer.bos_token_id)]
    )
    assert tokenizer("a")["input_ids"][0] == tokenizer.bos_token_id
    ids = canary(tokenizer, PROMPT, "sat")["conversation"]
    assert ids.count(tokenizer.bos_token_id) == 1


def test_a_missing_end_of_turn(changed):
    with pytest.raises(ConfigError, match="never ends an assistant turn with '<eos>'"):
        canary(changed(template(answer="<bot>{{ m.content }}")), PROMPT, "sat")


def test_an_end_of_turn_only_in_the_prompt_does_not_count(changed):
    with pytest.raises(ConfigError, match="never ends an assistant turn"):
        canary(changed(template("<eos>", "<bot>{{ m.content }}")), PROMPT, "sat")


@pytest.mark.parametrize(
    "answer",
    [
        "<bot>{{ m.content | upper }}<eos>",
        "<bot>  {{ m.content }}<eos>",
        "<bot>{{ m.content }}!<eos>",
        "<user>{{ m.content }}<eos>",
        "<bot>{{ m.content[:1] }}<eos>",
    ],
)
def test_a_difference_is_shown_side_by_side(changed, answer):
    with pytest.raises(ConfigError, match="render the canary differently") as caught:
        canary(changed(template(answer=answer)), PROMPT, "sat")
    lines = str(caught.value).split("\n")
    assert lines[1].split() == ["training", "chat", "template"]
    assert any(line.lstrip().startswith(">") for line in lines)


def test_a_template_that_drops_earlier_thoughts_shows_in_the_prompt(changed):
    """A template may render a prompt differently once an answer follows it."""
    special = (
        "{% if add_generation_prompt %}<user>a<bot>{% else %}"
        "<user>{{ messages[0].content }}<bot>{{ messages[1].content }}<eos>{% endif %}"
    )
    with pytest.raises(ConfigError, match="differently"):
        canary(changed(special), PROMPT, "sat")


def test_follow_ups_are_asked_after_the_conversation_as_it_was(bytes_bpe):
    proof = canary(bytes_bpe, PROMPT, "sat", ["and", "then"])
    assert [turn["role"] for turn in proof["messages"]] == ["user", "assistant"] * 3
    assert proof["text"].count("sat") == 3
    assert proof["conversation"].count(bytes_bpe.eos_token_id) == 3


def test_a_template_that_renders_an_earlier_answer_anew_is_stopped(changed):
    """As templates do that drop the thoughts of all answers but the last."""
    forgetful = (
        "{% for m in messages %}{% if m.role == 'user' %}<user>{{ m.content }}"
        "{% else %}<bot>{{ m.content if loop.last else m.content[:1] }}<eos>{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<bot>{% endif %}"
    )
    canary(changed(forgetful), PROMPT, "sat")
    with pytest.raises(ConfigError, match="once another turn follows") as caught:
        canary(changed(forgetful), PROMPT, "sat", ["and"])
    assert "as answered" in str(caught.value) and "before the next turn" in str(caught.value)


def test_a_proof_is_kept_and_replaced_with_its_model(bytes_bpe, tmp_path):
    path = tmp_path / "x.canary.json"
    proof = canary(bytes_bpe, PROMPT, "sat")
    for model in ("one", "one", "two"):
        keep(path, proof, model, bytes_bpe)
        assert read_json(path) == proof | {"model": model}
    other = canary(bytes_bpe, PROMPT, "ran")
    keep(path, other, "two", bytes_bpe)
    assert read_json(path)["messages"] == other["messages"]


def test_the_same_model_that_renders_otherwise_is_stopped(bytes_bpe, tmp_path):
    path = tmp_path / "x.canary.json"
    proof = canary(bytes_bpe, PROMPT, "sat")
    keep(path, proof | {"conversation": [*proof["conversation"][:-1], 7]}, "one", bytes_bpe)
    with pytest.raises(IntegrityError, match="a library has changed.*constraints.txt") as caught:
        keep(path, proof, "one", bytes_bpe)
    assert "stored" in str(caught.value)
    assert read_json(path)["conversation"][-1] == 7, "nothing is lost"
