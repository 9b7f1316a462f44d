"""AlpacaEval's leaderboard from its recorded judgments."""

import csv

import pytest

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

MODELS = [
    "FuseChat-Gemma-2-9B-Instruct",
    "FuseChat-Llama-3.2-1B-Instruct",
    "alpaca-7b",
    "claude-2",
    "gpt-3.5-turbo-1106_verbose",
    "vicuna-13b",
]


@pytest.mark.parametrize("model", MODELS)
def test_published_scores_come_out_again(module, shared_data, model):
    """Source: AlpacaEval's leaderboard (expected.csv). The calibration is a reconstruction, hence
    0.01."""
    folder = shared_data / "alpaca_eval"
    [found] = module("alpaca_eval_2").rescore(
        outputs=folder / "public" / f"{model}.model_outputs.json.gz",
        reference=folder / "reference_gpt4_1106_preview.json.gz",
        annotations=folder / "public" / f"{model}.annotations.json.gz",
        regularisation=str(folder / "lc_calibration" / "df_gamed_reconstructed.csv"),
    )
    rows = {row["metric"]: row for row in found["scores"]}
    with open(folder / "public" / "expected.csv", newline="") as file:
        [line] = [line for line in csv.DictReader(file) if line["model"] == model]
    expected = {key: float(value) for key, value in line.items() if value and key != "model"}
    assert rows["win_rate"]["value"] == pytest.approx(expected["win_rate"], abs=1e-6)
    assert rows["win_rate"]["se"] == pytest.approx(expected["standard_error"], abs=1e-6)
    discrete = expected["discrete_win_rate"]
    assert rows["discrete_win_rate"]["value"] == pytest.approx(discrete, abs=1e-6)
    assert int(rows["length"]["value"]) == expected["avg_length"]
    controlled = rows["length_controlled_win_rate"]
    # Source: sha256sum of the file.
    assert controlled["calibration_sha256"].startswith("57613b67eac9c42f")
    assert controlled["value"] == pytest.approx(expected["length_controlled_winrate"], abs=0.01)
    if "lc_standard_error" in expected:
        assert controlled["se"] == pytest.approx(expected["lc_standard_error"], abs=0.01)
    assert {row["n"] for row in rows.values()} == {805}
    assert {row["status"] for row in rows.values()} == {"ok"}
