"""The chat format of models made here: the template of a tokenizer and the text of documents."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment

from plumbline import chat

TURNS = [("user", "ask one"), ("assistant", "say one"), ("user", "ask two")]
MESSAGES = [{"role": role, "content": text} for role, text in TURNS]


def rendered(gap: str, messages: list[dict[str, str]], prompting: bool) -> str:
    template = Environment().from_string(chat.template(gap))
    return template.render(messages=messages, add_generation_prompt=prompting)


def test_by_hand():
    spaced = "<user> ask one <bot> say one <eos> <user> ask two <bot>"
    assert rendered(" ", MESSAGES, True) == spaced
    assert rendered("", MESSAGES, True) == "<user>ask one<bot>say one<eos><user>ask two<bot>"
    assert rendered("", MESSAGES[:2], False) == "<user>ask one<bot>say one<eos>"


@given(st.lists(st.text(max_size=8), max_size=5))
def test_documents_are_rendered_as_the_template_does(texts):
    messages = [
        {"role": "assistant" if index % 2 else "user", "content": text}
        for index, text in enumerate(texts)
    ]
    assert chat.renderer()(messages) == rendered("", messages, False)


def test_documents_of_another_template():
    """Line breaks that only set blocks apart are not text, as transformers has it."""
    other = "{% for message in messages %}\n{{ message.content }}{{ eos_token }}\n{% endfor %}\n"
    assert chat.renderer(other)(MESSAGES[:2]) == "ask one<eos>\nsay one<eos>\n"


@pytest.mark.parametrize("gap", ["", " "])
def test_an_answer_only_continues_its_prompt(gap):
    """Training appends the answer to the prompt's text: the template must agree."""
    prompt, whole = rendered(gap, MESSAGES[:1], True), rendered(gap, MESSAGES[:2], False)
    assert whole == f"{prompt}{gap}say one{gap}<eos>{gap}"


def test_special_words_stand_where_the_tokenizers_look_for_them():
    assert chat.SPECIAL.index("<pad>") == 0, "padding is id 0"
    assert all(word in chat.SPECIAL for word in ("<eos>", "<user>", "<bot>", "<unk>"))
