"""Operations, by hand from sizes that config/test.yaml gives."""

from planned_jobs import job

from plumbline import jobs
from plumbline.operate.plan.operations import Work, work
from plumbline.operate.plan.sizes import parameters, tokens, training_rows

#: Two layers of 12 * 32 * 32, and a head of 306 words of Toyland by 32.
PARAMETERS = 2 * 12 * 32 * 32 + 306 * 32


def test_sizes(experiment):
    asked = experiment()
    setting, folders = asked.settings["small"], asked.setting_folders()["small"]
    assert parameters(setting.model) == PARAMETERS
    assert training_rows(setting, folders) == 320
    assert tokens(setting) == (10, 11)


def test_pairs_share_their_prompt_and_training_takes_six(experiment):
    """320 pairs of 10 + 2 * 11 tokens, two betas."""
    asked = experiment()
    found = work(asked, job(asked, "align", "dpo"))
    assert found == Work(passed=2 * 6 * PARAMETERS * 320 * 32)


def test_single_responses_have_a_prompt_each(experiment):
    """320 pairs as 640 responses of 10 + 11 tokens, and mismatched ones as well."""
    asked = experiment(methods={"sft": {}, "kto": {"beta": 0.1}})
    found = work(asked, job(asked, "align", "kto"))
    assert found == Work(passed=2 * 6 * PARAMETERS * 640 * 21)


def test_recomputing_takes_two_more(experiment):
    asked = experiment(execution={"gradient_checkpointing": True, "runs_per_job": 2})
    assert work(asked, job(asked, "align", "dpo")).passed == 2 * 8 * PARAMETERS * 320 * 32


def test_a_model_that_is_not_trained_takes_none(experiment):
    asked = experiment()
    assert work(asked, job(asked, "align", "sft")) == Work()


def test_answers_are_as_long_as_they_may_be(experiment):
    """Two models answer 16 prompts of 10 tokens by 24."""
    asked = experiment()
    found = work(asked, job(asked, "generate", "dpo", "validation"))
    assert found == Work(2 * PARAMETERS * 2 * 16 * 10, 2 * PARAMETERS * 2 * 16 * 24)


def test_what_nobody_counted_is_not_known(experiment, repository):
    asked = experiment()
    unknown = {item.stage for item in jobs.every(asked) if work(asked, item) is None}
    assert unknown == {"data", "score", "select", "aggregate", "report"}


def test_a_hub_model_that_nobody_measured_is_not_known(experiment):
    raw = experiment().settings["small"].model_dump()
    raw["model"] = {"path": "someone/model"}
    raw["pretrain"] = None
    data = {"source": "ultrafeedback", "path": "someone/data"}
    asked = experiment(settings={"small": raw | {"data": data}})
    assert work(asked, job(asked, "align", "dpo")) is None
