"""The numbers that make one Toyland, or its facts: the keys of a config's ``data:`` section."""

import hashlib
import random
from dataclasses import dataclass

#: The word that ends a completion's scratch steps.
TRACE_END = "end"


@dataclass(frozen=True)
class WorldSpec:
    """What is drawn, and how; facts and vocabulary are fixed (``lexicon``).

    Attributes:
        seed: Seeds every draw.
        documents: Number of pretraining documents.
        demonstrations: Number of demonstrations for supervised fine-tuning.
        pairs: Number of feedback rows of the train split.
        validation: Number of feedback rows of the validation split.
        test: Number of feedback rows of the test split.
        length_bias: Utility, per word, that the annotator adds to an answer (up to 30 words).
        noise: Standard deviation of the annotator's utility.
        demonstration_skill: Probability that a demonstration is correct, in [0, 1].
        demonstration_verbosity: How talkative demonstrations are, at least 0.
        second_turns: Share of prompts that have a first turn before them, in [0, 1].
        constraints: Share of harmless tasks with a constraint, in [0, 1].
        greetings: Share of first turns that begin with a greeting, in [0, 1].
        declarations: Share of pretraining documents that state a fact, in [0, 1].
        myths: Share of statements about the kind of a noun with a myth that repeat it, in [0, 1].
        rarity: Exponent of Zipf's law for the nouns that are asked about; 0 is uniform.
    """

    seed: int = 0
    documents: int = 24000
    demonstrations: int = 6400
    pairs: int = 4800
    validation: int = 400
    test: int = 400
    length_bias: float = 0.015
    noise: float = 0.3
    demonstration_skill: float = 0.5
    demonstration_verbosity: float = 0.8
    second_turns: float = 0.15
    constraints: float = 0.2
    greetings: float = 0.5
    declarations: float = 0.2
    myths: float = 0.8
    rarity: float = 1.6


@dataclass(frozen=True)
class FactsSpec:
    """What is drawn.

    Attributes:
        seed: Seeds every draw.
        documents: Number of pretraining documents; half of them state a fact, none a myth.
        demonstrations: Number of demonstrations, of facts to forget and to retain alike.
        examples: Number of rows of the train split, the most there are where it is larger.
        validation: Number of rows of the validation split, likewise.
        test: Number of rows of the test split, likewise.
        forget: Share of the nouns that are to be forgotten, in (0, 1).
    """

    seed: int = 0
    documents: int = 24000
    demonstrations: int = 6400
    examples: int = 1600
    validation: int = 400
    test: int = 900
    forget: float = 0.1


@dataclass(frozen=True)
class TracesSpec:
    """What is drawn.

    Attributes:
        seed: Seeds every draw.
        documents: Number of pretraining documents.
        demonstrations: Number of demonstrations for supervised fine-tuning.
        pairs: Number of feedback rows of the train split.
        validation: Number of feedback rows of the validation split.
        test: Number of feedback rows of the test split.
        traces: Share of answers that have a trace, in [0, 1].
    """

    seed: int = 0
    documents: int = 12000
    demonstrations: int = 3200
    pairs: int = 2400
    validation: int = 200
    test: int = 400
    traces: float = 0.8


def stream(purpose: str, seed: int) -> random.Random:
    """A random generator of its own for each purpose and seed."""
    digest = hashlib.sha256(f"toyland/{purpose}/{seed}".encode()).digest()
    return random.Random(int.from_bytes(digest, "big"))
