"""Stage data."""

import time
from pathlib import Path

from plumbline import chat, config
from plumbline.artifacts import write_json
from plumbline.data.build import build
from plumbline.layout import SettingFolder
from plumbline.locks import lock
from plumbline.provenance import leave_trace
from plumbline.schema import ScratchModel


def run(experiment: Path, setting: str) -> None:
    """Write the splits, then their record, and the setting itself."""
    started = time.perf_counter()
    chosen = config.read(experiment).setting_at(setting)
    folders = SettingFolder(setting)
    scratch = isinstance(chosen.model, ScratchModel)
    render = chat.renderer(chosen.model.chat_template) if scratch else None
    with lock(folders.data_record.parent):
        record = build(chosen.data, folders.data_record.parent, render)
        write_json(folders.record, chosen.model_dump())
        write_json(folders.data_record, record)
        leave_trace(folders.data_record, started)
    print({split: item["rows"] for split, item in record["splits"].items()}, record["labels"])
