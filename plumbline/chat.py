"""The chat format of models made here: `<user> question <bot> answer <eos>`, turn after turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from jinja2.sandbox import ImmutableSandboxedEnvironment

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


def renderer(chat_template: str | None = None) -> Callable[[Iterable[Message]], str]:
    """What renders a dialogue for pretraining on real data, by the template with no gap or another.

    Whitespace around blocks is cut as `apply_chat_template` of transformers cuts it.
    """
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    compiled = environment.from_string(chat_template or template(""))
    return lambda messages: compiled.render(messages=list(messages), eos_token="<eos>")
