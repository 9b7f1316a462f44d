"""The chat format of models made here: `<user> question <bot> answer <eos>`, turn after turn."""

from __future__ import annotations

from collections.abc import Iterable

from plumbline.splits import Message

#: The first five entries of every vocabulary made here, in the order of their ids.
SPECIAL = ["<pad>", "<eos>", "<user>", "<bot>", "<unk>"]

#: As a Hugging Face chat template; GAP is a space between whole words, nothing between bytes.
TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] == 'user' %}<user>GAP{{ message['content'] }}GAP"
    "{% else %}<bot>GAP{{ message['content'] }}GAP<eos>GAP{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}<bot>{% endif %}"
)


def template(gap: str) -> str:
    """The chat template with its words set apart by `gap`."""
    return TEMPLATE.replace("GAP", gap)


def render(messages: Iterable[Message]) -> str:
    """A dialogue as the template with no gap renders it, for pretraining on real data."""
    return "".join(
        f"<user>{message['content']}"
        if message["role"] == "user"
        else f"<bot>{message['content']}<eos>"
        for message in messages
    )
