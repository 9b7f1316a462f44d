"""How large models and data are, as far as it is known without loading them."""

from __future__ import annotations

from pathlib import Path

from plumbline.artifacts import read_json
from plumbline.layout import SettingFolder
from plumbline.schema import FileData, PretrainedModel, ScratchModel, Setting
from plumbline.splits import BOUNDS
from plumbline.toyland.lexicon import VOCABULARY

#: Parameters of models on the hub, as their cards have them.
PARAMETERS = {
    "HuggingFaceH4/mistral-7b-sft-beta": 7.24e9,
    "EleutherAI/pythia-6.9b": 6.86e9,
}
#: Prompts of data sets on the hub, as their cards have them.
PROMPTS = {"openbmb/UltraFeedback": 63_967, "Anthropic/hh-rlhf": 160_800}
#: Tokens of a mean prompt and a mean completion. Of real feedback: letters / 4, of 300 pairs of
#: UltraFeedback and 200 of HH-RLHF; of Toyland: words, of 320 rows.
TOKENS = {"ultrafeedback": (183, 283), "hh_rlhf": (114, 48), "toyland": (10, 11)}


def parameters(model: ScratchModel | PretrainedModel) -> float | None:
    """Parameters that each token passes: all but the input embeddings of a model made here; None
    where nobody says."""
    if isinstance(model, PretrainedModel):
        return PARAMETERS.get(model.path) or _of_folder(Path(model.path))
    words = model.vocabulary or len(VOCABULARY)
    return 12 * model.layers * model.hidden_size**2 + words * model.hidden_size


def _of_folder(folder: Path) -> float | None:
    """Of a model folder on this disk, by the size of its weights' files: two bytes each."""
    files = [*folder.glob("*.safetensors")] if folder.is_dir() else []
    return sum(file.stat().st_size for file in files) / 2 if files else None


def stored_bytes(model: ScratchModel | PretrainedModel) -> float | None:
    """Bytes of one model on the disk, None where its parameters are not known."""
    count = parameters(model)
    if count is None:
        return None
    if isinstance(model, PretrainedModel):
        return count * (2 if model.dtype == "bfloat16" else 4)
    return 4 * (count + (model.vocabulary or len(VOCABULARY)) * model.hidden_size)


def training_rows(setting: Setting, folders: SettingFolder) -> int | None:
    """Prompts of the train split: counted where the data is there, else as the setting says."""
    if folders.data_record.is_file():
        return read_json(folders.data_record)["splits"]["train"]["rows"]
    data = setting.data
    if not isinstance(data, FileData):
        return getattr(data, "pairs", None) or getattr(data, "examples", None)
    known = PROMPTS.get(data.path)
    limits = [data.limit.get("train"), known and known * BOUNDS["train"] // 1000]
    return min((item for item in limits if item), default=None)


def tokens(setting: Setting) -> tuple[int, int] | None:
    """(prompt, completion) tokens of a mean row; None where nobody says."""
    name = setting.data.source
    found = TOKENS.get("toyland" if name.startswith("toyland") else name)
    longest = setting.align.max_tokens
    return found and (min(found[0], longest), min(found[1], longest))
