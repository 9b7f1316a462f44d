"""The studies: one setting for all, an exact judge, and one thing that differs."""

from pathlib import Path

import pytest

from plumbline import config, plugins

CONFIG = Path(config.__file__).parent.parent / "config"
STUDIES = ("open_questions", "regularizer", "label_noise", "length_bias", "pairs", "kl")
#: What is said of each on this page, with the command that runs it.
PAGE = CONFIG.parent / "docs" / "studies.md"


def study(name: str) -> config.Experiment:
    return config.read(CONFIG / "toyland" / f"{name}.yaml")


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_the_default_experiments_setting_and_an_exact_judge(name):
    """To the letter, so that base models and runs are shared."""
    found, default = study(name), config.read(CONFIG / "quickstart.yaml")
    assert found.settings["toyland"] == default.settings["toyland"]
    assert found.judge.identity == default.judge.identity == ("toyland-gold", "1")
    assert set(found.benchmarks) <= {"toyland", "reference_kl"} and len(found.seeds) >= 2
    assert f"--configfile config/toyland/{name}.yaml`" in PAGE.read_text()


@pytest.mark.parametrize("name", STUDIES)
def test_every_method_has_the_same_number_of_points(name):
    found = study(name)
    counts = {len(found.points(method)) for method in found.methods if method != plugins.SFT}
    assert counts == {found.grid_points}


@pytest.mark.parametrize(
    ("name", "key"), [("length_bias", "length_bias"), ("pairs", "pairs"), ("pairs", "epochs")]
)
def test_settings_differ_in_what_is_studied_alone(name, key):
    dumps = [setting.model_dump() for setting in study(name).settings.values()]
    values = [dump["data" if key in dump["data"] else "align"].pop(key) for dump in dumps]
    for dump in dumps:
        dump["data"].pop("pairs", None)
        dump["align"].pop("epochs", None)
    assert len(set(values)) == 4 and all(dump == dumps[0] for dump in dumps)


def test_the_number_of_steps_does_not_depend_on_the_number_of_pairs():
    """Whole batches in every pass: 150 steps of 32 pairs."""
    for setting in study("pairs").settings.values():
        steps, rest = divmod(setting.data.pairs, setting.align.batch.pairs)
        assert rest == 0 and steps * setting.align.epochs == 150


def test_every_method_meets_every_rate_of_noise():
    found = study("label_noise")
    rates = {}
    for method in found.methods:
        if method != plugins.SFT:
            points = found.points(method)
            rates.setdefault(found.method(method).name, set()).add(
                found.swept("toyland", method, points[0])
            )
            told = {point["epsilon"] for point in points if "epsilon" in point}
            assert told <= {found.relabelling(method).get("flip", 0.1)}
    assert rates == dict.fromkeys(
        ("dpo", "cdpo", "robust_dpo", "ipo", "pro_p"), {0.0, 0.1, 0.2, 0.3, 0.4}
    )


def test_the_regularizer_is_studied_at_one_four_and_sixteen_samples():
    found = study("regularizer")
    places = {method: found.swept("toyland", method, {}) for method in ("dpo", "pro_p_hyper")}
    assert places == {"dpo": None, "pro_p_hyper": None}
    counts = [
        found.swept("toyland", method, found.points(method)[0])
        for method in found.methods
        if method.startswith("pro_p_samples")
    ]
    assert sorted(counts) == [1, 4, 16]
