"""AlpacaEval's own length-controlled win rate, in a process of its own.

    python -P length_controlled.py ANNOTATIONS CALIBRATION HF_HOME OUTPUT

ANNOTATIONS: JSON list of 805 annotations in the official order (`preference` in [1, 2], `output_1`,
`output_2`, `generator_1`, `generator_2`). CALIBRATION: AlpacaEval's `df_gamed.csv`, the judgments
that its regression is regularised with. OUTPUT: JSON object with `win_rate` and `standard_error` in
percent, and `preferences`, the 805 predicted probabilities of a win at equal length whose mean is
the length-controlled win rate.

alpaca_eval takes the calibration from the Hugging Face cache only, and huggingface_hub fixes the
cache's place when it is imported: hence the process, with a cache folder that holds this one file.
"""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

REVISION = "0" * 40


def lay_out_cache(home: Path, calibration: Path) -> None:
    """Make `home` a Hugging Face home whose cache holds the calibration file."""
    cache = home / "hub" / "datasets--tatsu-lab--alpaca_eval"
    snapshot = cache / "snapshots" / REVISION
    snapshot.mkdir(parents=True, exist_ok=True)
    (cache / "refs").mkdir(exist_ok=True)
    (cache / "refs" / "main").write_text(REVISION)
    shutil.copyfile(calibration, snapshot / "df_gamed.csv")


def settle_in(home: Path) -> None:
    """Have every library of this process look and write there, whatever the user's variables."""
    os.environ |= {
        "HF_HOME": str(home),
        "HF_HUB_CACHE": str(home / "hub"),
        "HF_HUB_OFFLINE": "1",
        "XDG_CACHE_HOME": str(home),
        "MPLCONFIGDIR": str(home),
    }
    os.environ.pop("DATASETS_FORCE_DOWNLOAD", None)


def length_controlled(annotations: Path) -> dict[str, Any]:
    """What alpaca_eval's regression says of these annotations."""
    import pandas
    from alpaca_eval.metrics import get_length_controlled_winrate

    frame = pandas.DataFrame(json.loads(annotations.read_text()))
    found = get_length_controlled_winrate(frame, save_weights_dir=None)
    return {
        "win_rate": float(found["length_controlled_winrate"]),
        "standard_error": float(found["lc_standard_error"]),
        "preferences": frame["glm_preference"].tolist(),
    }


if __name__ == "__main__":
    annotations, calibration, home, output = map(Path, sys.argv[1:])
    lay_out_cache(home, calibration)
    settle_in(home)
    output.write_text(json.dumps(length_controlled(annotations)))
