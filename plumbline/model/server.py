"""A server of OpenAI's chat-completions API that answers in place of a model in this process.

It serves a model folder that training wrote, under a name that the experiment file tells. Before
anything is asked, two short conversations show whether it reads prompts as training does.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from transformers import PreTrainedTokenizerBase

from plumbline.artifacts import derive_seed
from plumbline.errors import ConfigError
from plumbline.model.sampling import Turn, progress
from plumbline.model.tokenizer import prompt_ids
from plumbline.schema import Generation
from plumbline.splits import Message

if TYPE_CHECKING:
    import openai

#: Calls after the first, with waits that grow, where a server is busy, failing or not there.
RETRIES = 4
#: A conversation of one turn, and of two.
HELLO = [{"role": role, "content": "hello ."} for role in ("user", "assistant", "user")]
PROBES = HELLO[:1], HELLO
#: Letters of a server's message that are passed on.
MESSAGE = 300


@contextmanager
def connected(choice: Generation, name: str, seed: int) -> Iterator[Server]:
    """The server of an experiment, asked for the model that it calls `name`.

    seed: of the noise of all answers. Raises ConfigError where the key is not in the environment,
    or where the server does not list the model.
    """
    import openai

    key = os.environ.get(choice.key_env) if choice.key_env else "none"
    if not key:
        raise ConfigError(
            f"generation.key_env: the environment has no {choice.key_env}; type "
            f"`export {choice.key_env}=...` and run again"
        )
    with openai.OpenAI(
        base_url=choice.base_url,
        api_key=key,
        max_retries=RETRIES,
        timeout=choice.timeout_seconds,
    ) as client:
        server = Server(client, choice, name, seed)
        server.check_served()
        yield server


@dataclass(frozen=True)
class Server:
    """A model on a server. name: what the server calls it. seed: of the noise of all answers."""

    client: openai.OpenAI
    choice: Generation
    name: str
    seed: int

    def check_served(self) -> None:
        """Raises ConfigError where the server does not list the model: some answer to any name, by
        whatever model they have."""
        served = [model.id for model in self._ask(self.client.models.list)]
        if self.name not in served:
            raise ConfigError(
                f"generation.model: {self.choice.base_url} has no model {self.name!r}; it has "
                f"{', '.join(map(repr, served)) or 'none'}. Serve the run's folder under this name"
            )

    def check_template(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Raises ConfigError where the server counts other tokens in a prompt than training, as
        with a second start token or a chat template of its own.

        The API gives no token ids, only their number.
        """
        for messages in PROBES:
            ours = len(prompt_ids(tokenizer, messages))
            found = self._ask(self._complete, messages, "probe", 0.0, 1).usage
            theirs = found and found.prompt_tokens
            if theirs != ours:
                raise ConfigError(
                    f"generation.base_url: {self.choice.base_url} reads {len(messages)} message(s) "
                    f"as {theirs} tokens, training as {ours}: its chat template or start token is "
                    "not the model's. Serve the folder as it is, with no other chat template"
                )

    def speak(
        self,
        conversations: list[list[Message]],
        keys: list[str],
        temperature: float,
        max_new_tokens: int,
    ) -> list[Turn | None]:
        """See `generate.Speaker`. A request that the server cannot take, one too long for it, say,
        is None, and why is printed; ConfigError where it fails otherwise."""
        bar = progress(len(keys))

        def turn(messages: list[Message], key: str) -> Turn | None:
            said = self._ask(self._turn, messages, key, temperature, max_new_tokens)
            bar.update()
            return said

        with ThreadPoolExecutor(self.choice.workers) as pool:
            turns = list(pool.map(turn, conversations, keys))
        bar.close()
        return turns

    def _turn(
        self, messages: list[Message], key: str, temperature: float, max_new_tokens: int
    ) -> Turn | None:
        import openai

        try:
            answered = self._complete(messages, key, temperature, max_new_tokens)
        except (openai.BadRequestError, openai.UnprocessableEntityError) as error:
            print(f"refused: {key}: {self._said(error)}", flush=True)
            return None
        choice, usage = answered.choices[0], answered.usage
        text, finished = choice.message.content or "", choice.finish_reason == "stop"
        return Turn(text, finished, usage and usage.completion_tokens)

    def _complete(
        self, messages: list[Message], key: str, temperature: float, max_new_tokens: int
    ) -> Any:
        return self.client.chat.completions.create(
            model=self.name,
            messages=messages,
            temperature=temperature,
            top_p=1.0,
            max_tokens=max_new_tokens,
            seed=derive_seed("decoding", self.seed, key),
        )

    def _ask(self, call: Callable[..., Any], *given: Any) -> Any:
        """What a call gives; ConfigError where it fails."""
        import openai

        try:
            return call(*given)
        except openai.APIStatusError as error:
            raise ConfigError(
                f"generation: {self.choice.base_url} does not answer: {self._said(error)}; "
                "base_url ends where /chat/completions begins, key_env names the server's key"
            ) from error
        except openai.APIConnectionError as error:
            raise ConfigError(
                f"generation.base_url: {self.choice.base_url} cannot be reached, or is silent for "
                f"{self.choice.timeout_seconds:g} s (timeout_seconds); start the server, then run "
                "again"
            ) from error

    def _said(self, error: openai.APIStatusError) -> str:
        """A server's message in one line, without our key: some quote it."""
        return repr(error.message.replace(self.client.api_key, "..."))[:MESSAGE]
