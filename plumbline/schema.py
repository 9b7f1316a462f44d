"""The keys of an experiment file, object by object; config/README.md says each in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, fields
from itertools import product
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    create_model,
    field_validator,
    model_validator,
)

from plumbline.artifacts import digest
from plumbline.layout import Run, SettingFolder
from plumbline.toyland.spec import TRACE_END, FactsSpec, TracesSpec, WorldSpec

NAME = r"^[a-z][a-z0-9_]*$"
Name = Annotated[str, Field(pattern=NAME)]
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(gt=0)]
Limit = Annotated[float, Field(ge=0)]


class Strict(BaseModel):
    """Unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Keep(Strict):
    """The share of desirable and of undesirable responses that methods of binary feedback see."""

    desirable: Annotated[float, Field(gt=0, le=1)] = 1.0
    undesirable: Annotated[float, Field(gt=0, le=1)] = 1.0


class Embedded:
    """Data of the embedded world. trace_end: what ends a completion's trace."""

    trace_end: ClassVar[str] = TRACE_END


Share = Annotated[float, Field(ge=0, le=1)]
#: Fields of the embedded data that have a range.
RANGED = {
    "forget": Annotated[float, Field(gt=0, lt=1)],
    "noise": Annotated[float, Field(ge=0)],
    **dict.fromkeys(("demonstration_skill", "second_turns", "constraints", "greetings"), Share),
    **dict.fromkeys(("declarations", "myths", "traces"), Share),
}


def _embedded(name: str, source: str, spec: type, told: str) -> type[BaseModel]:
    """The keys of `data` for one of the embedded sources: every field of its specification."""
    keys = {item.name: (RANGED.get(item.name, item.type), item.default) for item in fields(spec)}
    common = {"source": (Literal[source], ...), "keep": (Keep, Keep())}
    return create_model(name, __base__=(Strict, Embedded), __doc__=told, **common, **keys)


ToylandData = _embedded(
    "ToylandData", "toyland", WorldSpec, "The embedded world: see docs/toyland.md."
)
FactsData = _embedded(
    "FactsData", "toyland_facts", FactsSpec, "Its facts, to forget and to retain."
)
TracesData = _embedded("TracesData", "toyland_traces", TracesSpec, "Its sums with scratch steps.")


class FileData(Strict):
    """Real feedback, from files or the hub. `limit` bounds the rows of each split; `trace_end`
    ends a completion's trace, where it has one."""

    source: Literal["hh_rlhf", "ultrafeedback", "jsonl"]
    path: str
    seed: int = 0
    limit: dict[Literal["train", "validation", "test"], Count] = {}
    keep: Keep = Keep()
    trace_end: Annotated[str, Field(min_length=1)] = "</think>"


class ScratchModel(Strict):
    """A GPT-NeoX made here. tokenizer: Toyland's words, or byte-level BPE trained on the data.

    chat_template: in place of the tokenizer's own.
    """

    architecture: Literal["gpt_neox"]
    hidden_size: Count
    layers: Count
    heads: Count
    max_positions: Count
    tokenizer: Literal["toyland", "byte_bpe"]
    vocabulary: Count | None = None
    chat_template: str | None = None
    seed: int = 0

    @model_validator(mode="after")
    def _fits(self) -> ScratchModel:
        if self.tokenizer == "byte_bpe" and self.vocabulary is None:
            raise ValueError("vocabulary: byte_bpe needs the number of its tokens, e.g. 2048")
        if self.tokenizer == "toyland" and self.chat_template:
            raise ValueError("chat_template: toyland knows Toyland's words only; use byte_bpe")
        if self.hidden_size % self.heads:
            raise ValueError(f"heads: {self.heads} do not divide hidden_size: {self.hidden_size}")
        return self


class PretrainedModel(Strict):
    """A Hugging Face model folder or hub name."""

    path: str
    revision: str = "main"
    trust_remote_code: bool = False
    chat_template: str | None = None
    dtype: Literal["float32", "bfloat16"] = "float32"


class GivenModel(PretrainedModel):
    """A model trained elsewhere that has a line in the tables beside ours, under `title`."""

    title: str = ""


Precision = Literal["float32", "bf16"]


class Pretrain(Strict):
    """Language modelling from scratch: AdamW, linear warm-up, cosine decay.

    precision: of the forward pass; weights stay float32.
    """

    steps: Count
    batch: Count
    learning_rate: Rate
    warmup_steps: int = 50
    precision: Precision = "float32"


class Sft(Strict):
    """Supervised fine-tuning. data: demonstrations, or the chosen completions (the HH recipe).

    trainer: the loop that pretraining has, or TRL's SFTTrainer. precision: of the forward pass.
    """

    data: Literal["demonstrations", "chosen"]
    steps: Count
    batch: Count
    learning_rate: Rate
    warmup_steps: int = 10
    precision: Precision = "float32"
    trainer: Literal["plumbline", "trl"] = "plumbline"


class Batch(Strict):
    """Examples in one optimizer step, by feedback; for lists, prompts."""

    pairs: Count = 32
    singles: Count = 64
    lists: Count = 32


class ClassWeights(Strict):
    """Factors of the loss of a desirable and of an undesirable response, for any binary method."""

    desirable: Rate = 1.0
    undesirable: Rate = 1.0


class Adapter(Strict):
    """LoRA, through peft. targets: layers that get an update; None leaves the choice to peft.

    quantize: how the frozen weights lie in memory; 4bit (QLoRA) needs bitsandbytes.
    """

    rank: Count = 16
    alpha: Rate = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: list[str] | Literal["all-linear"] | None = "all-linear"
    quantize: Literal["none", "4bit"] = "none"


class Align(Strict):
    """Alignment: RMSprop with torch's defaults, linear warm-up, then constant.

    responses: completions of a list (N). precision: of the forward pass. adapter: train low-rank
    updates, merged at the end, instead of all weights. log_every and probe_every: steps between
    rows of the dynamics; probe_rows: held-out rows whose log-probabilities are probed;
    probe_benchmark: whose first probe_prompts validation prompts are answered at each probe.
    """

    learning_rate: Rate
    warmup_steps: int = 150
    epochs: Count = 1
    batch: Batch = Batch()
    class_weights: ClassWeights = ClassWeights()
    responses: Count = 4
    max_grad_norm: Rate = 10.0
    max_prompt_tokens: Count = 1024
    max_tokens: Count = 2048
    precision: Precision = "float32"
    adapter: Adapter | None = None
    log_every: Count = 10
    probe_every: Count = 50
    probe_rows: Count = 256
    probe_benchmark: str | None = None
    probe_prompts: Count = 64


def _kind_of_model(value: Any) -> str:
    """A model with any key of its own architecture is made from scratch."""
    own = ScratchModel.model_fields.keys() - PretrainedModel.model_fields.keys()
    keys = value.keys() if isinstance(value, dict) else getattr(value, "model_fields_set", set())
    return "ScratchModel" if own & keys else "PretrainedModel"


class Setting(Strict):
    """Model + data + SFT + alignment recipe."""

    data: Annotated[ToylandData | FactsData | TracesData | FileData, Field(discriminator="source")]
    model: Annotated[
        Annotated[ScratchModel, Tag("ScratchModel")]
        | Annotated[PretrainedModel, Tag("PretrainedModel")],
        Discriminator(_kind_of_model),
    ]
    pretrain: Pretrain | None = None
    sft: Sft | None = None
    align: Align

    @model_validator(mode="after")
    def _fits(self) -> Setting:
        if self.pretrain and isinstance(self.model, PretrainedModel):
            raise ValueError("pretrain: only for a model made from scratch; remove the key")
        if isinstance(self.data, FileData) and getattr(self.model, "tokenizer", "") == "toyland":
            raise ValueError("model.tokenizer: toyland knows Toyland's words only; use byte_bpe")
        return self

    def folder(self, name: str) -> SettingFolder:
        """`{name}-{8 hex of the canonical JSON}`."""
        return SettingFolder(f"{name}-{digest(self.model_dump())[:8]}")


#: Labels that a method can learn from in place of the data's, and how a table calls them. The rules
#: are in `data.labels`. Controls take no part in ranks.
CONTROLS = {
    "random": "random labels",
    "flipped": "flipped labels",
    "longer": "longer-is-better labels",
}
LABELS = CONTROLS | {"win_rate": "win-rate scores"}


class Prompts(Strict):
    """A share of the prompts to train on, by their preference variance under a trained reward that
    labels their pairs too; see `data.preference_variance`.

    reward: a key of `train.bradley_terry.REWARDS`. share: of the quarter that taught no reward.
    """

    reward: Literal["model", "head", "words"]
    order: Literal["highest", "lowest", "random"] = "highest"
    share: Annotated[float, Field(gt=0, le=1)] = 1.0


class Variant(Strict):
    """A method that stands in the tables a second time, with other labels, prompts or values.

    like: the method of the same file whose feedback, loss and values it takes; what it says itself
    goes before. flip: the probability that a training row's labels are turned around.
    """

    like: str
    labels: Literal["given", "random", "flipped", "longer", "win_rate"] = "given"
    prompts: Prompts | None = None
    flip: Annotated[float, Field(ge=0, lt=0.5)] = 0.0

    @property
    def relabelling(self) -> dict[str, Any]:
        """`labels` and `flip` where they are not their defaults."""
        fields = Variant.model_fields
        said = {name: getattr(self, name) for name in ("labels", "flip")}
        return {name: value for name, value in said.items() if value != fields[name].default}


def entry(methods: dict[str, dict[str, Any]], name: str) -> tuple[Variant, dict[str, Any]]:
    """What a name under `methods` stands for, and its values; a method is like itself.

    Nothing is checked here: see `mistakes`.
    """
    own = methods.get(name, {})
    said = {key: value for key, value in own.items() if key in Variant.model_fields}
    variant = Variant.model_construct(**{"like": name} | said)
    values = {key: value for key, value in own.items() if key not in said}
    taken = [value for other, value in methods.items() if other == variant.like != name]
    return variant, {**taken[0], **values} if taken else values


class Select(Strict):
    """The validation metric that picks each method's point."""

    benchmark: str
    metric: str
    title: str


class Prices(Strict):
    """US dollars for a million tokens."""

    prompt: Annotated[float, Field(ge=0)]
    completion: Annotated[float, Field(ge=0)]


class Upstream(Strict):
    """An OpenAI-compatible server that judges.

    source: `ledger` answers from the ledger alone and asks nobody. key_env: the environment
    variable that holds the key. rate_per_minute: of one job's calls. attempts: calls for one
    judgment, with waits of random length, at first up to backoff_seconds, then doubled. budget: US
    dollars that this judge may cost in this ledger; it needs prices.
    """

    model: str
    base_url: str | None = None
    source: Literal["server", "ledger"] = "server"
    key_env: str | None = None
    rate_per_minute: Rate | None = None
    timeout_seconds: Rate = 120.0
    attempts: Count = 6
    backoff_seconds: Rate = 1.0
    prices: Prices | None = None
    budget: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Upstream:
        if self.source == "server" and not self.base_url:
            raise ValueError("base_url: needed to ask a server, e.g. http://127.0.0.1:8000/v1")
        if self.budget is not None and self.prices is None:
            raise ValueError("budget: needs prices, e.g. {prompt: 10, completion: 30}")
        return self


#: Judges of this machine, which need no upstream, and their versions.
LOCAL_JUDGES = {"toyland-gold": "1", "surface-judge": "1"}


class JudgeChoice(Strict):
    """Who judges. `toyland-gold` reads Toyland exactly; `surface-judge` is plumbing; any other name
    is that of an upstream's judge.

    version: of an upstream's judge; its model where not given. audit: a file that `plumbline judge
    audit` wrote of this judge; its figures stand below the tables.
    """

    upstream: Upstream | None = None
    name: str
    version: str = ""
    audit: str | None = None

    @property
    def identity(self) -> tuple[str, str]:
        """(name, version): who judged, in every row and in the ledger."""
        own = self.upstream.model if self.upstream else LOCAL_JUDGES[self.name]
        return self.name, self.version or own

    @field_validator("name")
    @classmethod
    def _known(cls, name: str, info: ValidationInfo) -> str:
        here = " and ".join(f"{item!r}" for item in LOCAL_JUDGES)
        given = info.data.get("upstream")
        if given is None and name not in LOCAL_JUDGES:
            raise ValueError(f"{here} judge here, others need judge.upstream; got {name!r}")
        if given is not None and name in LOCAL_JUDGES:
            raise ValueError(f"{name!r} judges here and has no upstream; name the upstream's judge")
        return name


class Generation(Strict):
    """A server of OpenAI's API, such as vLLM's, that answers in place of transformers here.

    name: what answers, with its version; part of every answer's identity, as `model` is. model:
    what the server calls a run's model, with `{setting}`, `{method}`, `{point}`, `{seed}`, or
    `{model}` for its folder. key_env: the environment variable that holds the key. workers: how
    many conversations go on at a time.
    """

    name: str
    base_url: str
    model: str = "{model}"
    key_env: str | None = None
    workers: Count = 16
    timeout_seconds: Rate = 600.0

    @model_validator(mode="after")
    def _fits(self) -> Generation:
        run = Run("setting", "method", "point", 0)
        try:
            self.name_of(run, "model")
        except (LookupError, ValueError, AttributeError) as error:
            known = "{setting}, {method}, {point}, {seed}, {model}"
            raise ValueError(f"model: {self.model!r} may name {known} ({error!r})") from error
        return self

    def name_of(self, run: Run, model: Path | str) -> str:
        """What the server calls a run's model. model: its folder."""
        return self.model.format(model=model, **asdict(run))

    def identity(self) -> dict[str, str]:
        """What decides answers: where the server listens and how it is asked do not."""
        return {"name": self.name, "model": self.model}


class Column(Strict):
    """One column of Table 1."""

    benchmark: str
    metric: str
    title: str
    digits: Annotated[int, Field(ge=0)] = 2


class Rank(Strict):
    """How the average rank is taken: which rows, how ties share, where the others go."""

    rows: Literal["all", "aligned"] | list[str] = "aligned"
    ties: Literal["min", "average"] = "min"
    unranked: Literal["last", "omit"] = "last"


class Cases(Strict):
    """A table of cases: what methods answered to the same test prompts, and what was judged.

    metric: of the benchmark, whose judgments are shown. count: of prompts.
    """

    benchmark: str
    metric: str
    methods: list[str] = Field(min_length=1)
    count: Count = 8


class Difference(Strict):
    """One line of the table "paper / here / why different"."""

    what: str
    paper: str
    here: str
    why: str


class Sweep(Strict):
    """A figure of Table 1's columns against what differs between settings or variants.

    key: of a setting, with dots, a hyperparameter, or a variant's `flip`. title: of the axis.
    """

    key: str
    title: str
    scale: Literal["linear", "log"] = "linear"


class Report(Strict):
    """What the tables and the page show.

    columns: Table 1's, from test rows. length: the validation metric drawn against the selecting
    one; against: more of them. cases: a table of answers and judgments, beside the others.
    baseline: the method that differences are taken to, "" for the best of each column.
    dynamics_point: a point at which training curves are shown besides the selected ones. sweep: a
    figure over settings or variants. stamp: a warning over the whole page. not_run: what a reader
    might look for, and why it is not here.
    """

    title: str
    lead: str = ""
    columns: list[Column] = Field(min_length=1)
    length: Column
    against: list[Column] = []
    rank: Rank = Rank()
    baseline: str = ""
    cases: Cases | None = None
    dynamics_point: str = ""
    sweep: Sweep | None = None
    stamp: str = ""
    not_run: dict[str, str] = {}


class Execution(Strict):
    """How to run; never part of a digest. It can change a number's last bits, no more.

    runs_per_job: runs that one align job trains, one after the other; models_per_job: models that
    one generate or score job takes. keep_models: which aligned models stay on the disk, see `keep`.
    answers_per_batch: prompts that are answered in one batch. gpus_per_run: GPUs an align or
    generate job asks for. base_threads are for pretrain, sft and reference. On a busy machine two
    threads wait for each other at every operation: 2 were measured 30 times slower than 1 beside
    other jobs.

    processes: that train one model together, started by `launcher`: each with all weights (ddp) or
    with a share of them (fsdp2). micro_batch: examples a forward pass; auto is what memory allows.
    checkpoint_every: steps between checkpoints. attention: the implementation in transformers.
    """

    runs_per_job: Count = 6
    models_per_job: Count = 6
    keep_models: Literal["all", "selected", "none"] = "all"
    answers_per_batch: Count = 256
    gpus_per_run: Annotated[int, Field(ge=0)] = 0
    threads_per_run: Count = 1
    base_threads: Count = 1
    processes: Count = 1
    launcher: Literal["ddp", "fsdp2"] = "ddp"
    micro_batch: Count | Literal["auto"] = "auto"
    checkpoint_every: Count = 200
    gradient_checkpointing: bool = False
    attention: Literal["sdpa", "eager", "flash_attention_2"] = "sdpa"


class Budget(Strict):
    """What a run may take, of what is still to be done; None: anything. A plan that passes one
    stops before any job. See docs/plan.md.

    disk_gb: 1e9 bytes of models at the most. wall_hours: on the cores that Snakemake was given.
    """

    gpu_hours: Limit | None = None
    cpu_hours: Limit | None = None
    wall_hours: Limit | None = None
    disk_gb: Limit | None = None
    judge_calls: Limit | None = None
    judge_tokens: Limit | None = None
    judge_usd: Limit | None = None


def grid(values: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every combination of a method's values; a single value is a list of one."""
    lists = [value if isinstance(value, list) else [value] for value in values.values()]
    for combination in product(*lists):
        yield dict(zip(values, map(_number, combination), strict=True))


def _number(value: Any) -> Any:
    """1e-1 is a number in YAML 1.2, but text in the YAML 1.1 that Python reads."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value
