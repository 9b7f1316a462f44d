"""The schema of every table Plumbline writes. A column that is absent is null, never a sentinel."""

import pyarrow as pa

MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
CONVERSATION = pa.list_(MESSAGE)

#: A pretraining document in the model's own chat format.
DOCUMENT = pa.schema([("id", pa.string()), ("text", pa.string())])

#: A demonstration for supervised fine-tuning; `prompt` ends with a user turn.
DEMONSTRATION = pa.schema(
    [("id", pa.string()), ("prompt", CONVERSATION), ("completion", pa.string())]
)

#: Feedback of every kind. Pairwise: `chosen` and `rejected` index into `completions`. Binary data
#: has one completion and one of the two indices null. Scalar: one score in [0, 1] per completion.
FEEDBACK = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", CONVERSATION),
        ("completions", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float64())),
        ("chosen", pa.int64()),
        ("rejected", pa.int64()),
    ]
)

#: What a benchmark asks a model: a conversation that ends with a user turn, then `follow_ups`,
#: user turns asked after the model's own answers. `payload` is JSON that only the benchmark reads.
#: temperature 0 is greedy decoding.
PROMPT = pa.schema(
    [
        ("id", pa.string()),
        ("prompt", CONVERSATION),
        ("follow_ups", pa.list_(pa.string())),
        ("temperature", pa.float64()),
        ("max_new_tokens", pa.int64()),
        ("payload", pa.string()),
    ]
)

#: A model's answers, one per turn, fewer where one was refused; `finished` says whether the turn
#: ended with the end token, `cut` how many tokens its prompt lost at the start for want of room.
#: logratios: the answers' log-probabilities under the model minus those under the reference, nats,
#: where the benchmark reads them and the model was asked in this process.
RESPONSE = pa.schema(
    [
        *PROMPT,
        ("answers", pa.list_(pa.string())),
        ("finished", pa.list_(pa.bool_())),
        ("tokens", pa.list_(pa.int64())),
        ("cut", pa.list_(pa.int64())),
        ("logratios", pa.list_(pa.float64())),
    ]
)

#: Answers given while a run was being trained, after `step` optimizer steps.
PROBE = pa.schema([("step", pa.int64()), *RESPONSE])

#: Who a number belongs to. `setting` is the folder name, `point` the canonical hyperparameters.
IDENTITY = [
    ("setting", pa.string()),
    ("experiment", pa.string()),
    ("method", pa.string()),
    ("point", pa.string()),
    ("seed", pa.int64()),
    ("split", pa.string()),
    ("benchmark", pa.string()),
    ("version", pa.string()),
]

#: What a benchmark's `score` returns, one row per item, turn and metric.
SCORE = pa.schema(
    [
        ("item", pa.string()),
        ("turn", pa.int64()),
        ("metric", pa.string()),
        ("value", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("response", pa.string()),
        ("judgment", pa.string()),
    ]
)
ITEM = pa.schema([*IDENTITY, *SCORE])

#: One number of one run. status: ok, incomplete, diverged, refused, not_run. n_contaminated: how
#: many of its n items are in the training prompts, null where not known; clean_value, clean_se: the
#: number over the others, null where it would be the same or is none.
RESULT = pa.schema(
    [
        *IDENTITY,
        ("metric", pa.string()),
        ("better", pa.string()),
        ("value", pa.float64()),
        ("se", pa.float64()),
        ("n", pa.int64()),
        ("n_expected", pa.int64()),
        ("n_contaminated", pa.int64()),
        ("clean_value", pa.float64()),
        ("clean_se", pa.float64()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("decoding", pa.string()),
        ("judge", pa.string()),
        ("judge_version", pa.string()),
        ("model_digest", pa.string()),
        ("data_digest", pa.string()),
        ("code_digest", pa.string()),
    ]
)

#: Whether what a benchmark asks is in a setting's training prompts, by either rule of
#: `data.contamination`. `id` names the answer, or the item where no answers were read.
OVERLAP = pa.schema([("id", pa.string()), ("exact", pa.bool_()), ("ngram", pa.bool_())])

#: Reference log-probability (nats, summed over `tokens`) of completion `index` of a view row.
REFERENCE = pa.schema(
    [
        ("id", pa.string()),
        ("index", pa.int64()),
        ("logprob", pa.float64()),
        ("tokens", pa.int64()),
    ]
)

#: A number for each token of completion `index` of a view row.
ANNOTATION = pa.schema(
    [("id", pa.string()), ("index", pa.int64()), ("values", pa.list_(pa.float64()))]
)

#: A trained reward (nats; only differences at one prompt mean something) of each completion of a
#: feedback row.
REWARDS = pa.schema([("id", pa.string()), ("rewards", pa.list_(pa.float64()))])

#: Completion `index` that the reference gave to the prompt of a view row: its tokens, the end token
#: where it came, and their log-probability, nats.
SAMPLE = pa.schema(
    [
        ("id", pa.string()),
        ("index", pa.int64()),
        ("tokens", pa.list_(pa.int64())),
        ("values", pa.list_(pa.float64())),
    ]
)

#: Training dynamics in long form; `split` is train (this batch) or probe (fixed held-out rows).
DYNAMICS = pa.schema(
    [
        ("step", pa.int64()),
        ("examples", pa.int64()),
        ("split", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)

#: Dynamics of many runs.
RUN_DYNAMICS = pa.schema(
    [
        ("setting", pa.string()),
        ("method", pa.string()),
        ("point", pa.string()),
        ("seed", pa.int64()),
        *DYNAMICS,
    ]
)
