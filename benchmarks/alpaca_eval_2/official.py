"""AlpacaEval's own length control: where it applies, what it is regularised with, and running it.

Its regression has a term for each of the 805 official instructions by position, and 1610 judgments
of two gamed baselines in `df_gamed.csv`, all against one reference model.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from plumbline.artifacts import digest, file_digest
from plumbline.errors import ConfigError, DataError

Row = dict[str, Any]

SIZE = 805
#: `plumbline.artifacts.digest` of the list of official instructions.
INSTRUCTIONS = "d02007bfbcc8fcf624c641e8b70d53e82f7d0c061d12cf1b5695357e0d0090ce"
BASELINE = "gpt4_1106_preview"
HUB = "hub"
#: sha256 of df_gamed.csv as the hub has it (data set tatsu-lab/alpaca_eval).
ORIGINAL = "97aeec3f1c7de6dee6fd31fe66f1702623f4614c3efe1c6fc5f4927cd5fd674d"
COLUMNS = "preference,index,std_delta_len,instruction_difficulty,not_gamed_baseline,model"
FOLDER = Path(__file__).parent
USED = ("preference", "output_1", "output_2", "generator_1", "generator_2")


def strange(instructions: Sequence[str]) -> str | None:
    """Why these are not the official instructions, byte for byte and in order, or None."""
    if len(instructions) != SIZE:
        return f"{len(instructions)} instructions, not the {SIZE} official ones"
    if digest(list(instructions)) != INSTRUCTIONS:
        return f"not byte for byte the {SIZE} official instructions in their order"
    return None


def strangers(outputs: Sequence[str], reference: Sequence[str], baseline: str) -> Iterator[str]:
    """How recorded files differ from those that the calibration is made for. outputs, reference:
    their instructions; baseline: the reference's generator."""
    for what, instructions in {"outputs": outputs, "reference": reference}.items():
        if problem := strange(instructions):
            yield f"{what}: {problem}"
    if baseline != BASELINE:
        yield f"reference: the generator is {baseline!r}, not {BASELINE!r}"


def check(calibration: str, sha256: str | None, key: str) -> None:
    """Hold a calibration against its checksum, as far as that needs no network.

    key: the option's name for messages. Raises ConfigError for a file that is absent or has another
    sha256, DataError for one of other columns.
    """
    if calibration == HUB:
        _same(f"{key}: the hub's df_gamed.csv", ORIGINAL, sha256)
        return
    path = Path(calibration)
    if not path.is_file():
        raise ConfigError(f"{key}: no file {path}; give AlpacaEval's df_gamed.csv, or {HUB}")
    _same(f"{key}: {path}", file_digest(path), sha256)
    with open(path, encoding="utf-8", errors="replace") as file:
        head = file.readline().strip()
    if head != COLUMNS:
        raise DataError(f"{path}, line 1: the columns are {head[:80]!r}; expected {COLUMNS}")


def _same(what: str, found: str, sha256: str | None) -> None:
    if sha256 is not None and found != sha256.lower():
        raise ConfigError(
            f"{what} has sha256 {found}, but {sha256} was asked for; give the file that was meant, "
            "or correct the checksum"
        )


def calibration_file(calibration: str, scratch: Path) -> tuple[Path | None, str | None]:
    """The file, or why there is none; ConfigError where the hub's is not the original.

    A copy that is in the user's Hugging Face cache already is taken from there.
    """
    if calibration != HUB:
        return Path(calibration), None
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache("tatsu-lab/alpaca_eval", "df_gamed.csv", repo_type="dataset")
    if not isinstance(found, str):
        command = [sys.executable, "-P", FOLDER / "fetch.py", scratch / "hub"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            why = done.stderr.strip().rpartition("\n")[2][:120]
            return None, f"df_gamed.csv is not to be had from the hub here ({why})"
        found = done.stdout.strip()
    _same(f"the hub's {found}", file_digest(Path(found)), ORIGINAL)
    return Path(found), None


def length_controlled(annotations: Sequence[Row], calibration: Path, scratch: Path) -> Row:
    """alpaca_eval's `win_rate` and `standard_error`, in percent, and `preferences` per annotation,
    with `calibration_sha256`.

    annotations: all 805, in the official order. Writes to `scratch` only.
    """
    given, output = scratch / "annotations.json", scratch / "length_controlled.json"
    given.write_text(json.dumps([{key: row[key] for key in USED} for row in annotations]))
    script = [sys.executable, "-P", "-W", "ignore", FOLDER / "length_controlled.py"]
    subprocess.run([*script, given, calibration, scratch / "huggingface", output], check=True)
    return json.loads(output.read_text()) | {"calibration_sha256": file_digest(calibration)}
