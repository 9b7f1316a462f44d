# The experiment as objects, and what the rules ask of it. Rules hold no paths and no numbers.
import os
import sys

# Methods and benchmarks are those of this checkout, here and in every job.
os.environ["PLUMBLINE_HOME"] = str(workflow.basedir)

from plumbline import ENGINE, config as experiments, jobs, layout, plugins
from plumbline.errors import PlumblineError


def hold_budget(experiment):
    """Stop before any job where the plan passes a budget; see docs/plan.md."""
    from plumbline.operate.plan import budget, schedule

    given = workflow.resource_settings
    gpu = workflow.global_resources.get("gpu")
    gpus = gpu and gpu.value
    if workflow.non_local_exec:
        places = schedule.Places(given.nodes, given.local_cores or 1, gpus)
    else:
        places = schedule.Places(given.cores or schedule.LAPTOP.jobs, None, gpus)
    for note in budget.hold(experiment, layout.RESULTS, places):
        print(note, file=sys.stderr)


try:
    EXPERIMENT = experiments.parse(config, "the experiment")
    # Jobs read the experiment as it was parsed, with every override of the command line.
    os.environ["PLUMBLINE_EXPERIMENT"] = str(EXPERIMENT.write().resolve())
    # Not in the process of a single job: what was allowed goes on.
    if EXPERIMENT.budget.model_fields_set and workflow.is_main_process:
        hold_budget(EXPERIMENT)
except PlumblineError as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(error.exit_code)

SETTINGS = EXPERIMENT.setting_folders()
EXECUTION = EXPERIMENT.execution
ANY = layout.SettingFolder("{setting}")


def launcher():
    """What starts the processes that train one model together; nothing where one is enough."""
    if EXECUTION.processes == 1:
        return ""
    file = (
        Path(workflow.basedir) / "config" / "accelerate" / f"{EXECUTION.launcher}.yaml"
    )
    cards = f"plumbline devices {EXECUTION.gpus_per_run} -- "
    return (
        f"{cards if EXECUTION.gpus_per_run else ''}accelerate launch --config_file {file}"
        f" --num_processes {EXECUTION.processes} --main_process_port 0 --no_python"
    )


# In the environment, not in a rule: what is run elsewhere or otherwise is not run again.
os.environ["PLUMBLINE_LAUNCHER"] = launcher()
os.environ["PLUMBLINE_GPUS"] = str(EXECUTION.gpus_per_run)


envvars:
    "PLUMBLINE_EXPERIMENT",
    "PLUMBLINE_GPUS",
    "PLUMBLINE_HOME",
    "PLUMBLINE_LAUNCHER",


wildcard_constraints:
    setting="|".join(folders.name for folders in SETTINGS.values()),
    method="|".join(EXPERIMENT.entrants),
    feedback="pairs|singles|lists|traceless",
    need="|".join(plugins.ANNOTATED),
    side="chosen|rejected",
    reward="model|head|words",


def updated(paths):
    """Outputs that a job keeps where they are still current."""
    return [update(str(path)) for path in paths]


def method_digest(method):
    """Changes with the method's code, with a variant's labels or prompts, or with the choice of a
    given model; None for SFT."""
    if method in EXPERIMENT.models:
        return EXPERIMENT.models[method].model_dump(exclude={"title"})
    if method == plugins.SFT:
        return None
    others = [*map(str, EXPERIMENT.relabelling(method).values())]
    if prompts := EXPERIMENT.prompts(method):
        others.append(prompts.model_dump_json())
    return " ".join([EXPERIMENT.method(method).digest, *others])


def method_file(method):
    """Relative, so that a checkout may be moved."""
    return (
        ancient(os.path.relpath(EXPERIMENT.method(method).path))
        if EXPERIMENT.is_trained(method)
        else []
    )


def annotation_models(wildcards):
    """What a pass over the tokens asks beside the reference."""
    folders = layout.SettingFolder(wildcards.setting)
    return [item.record for item in folders.auxiliaries(wildcards.need)]


def benchmark_digests(split):
    """Changes with the code and the options of the split's benchmarks, with the judge and with the
    server that answers, if one does."""
    server = EXPERIMENT.generation
    specs = [EXPERIMENT.benchmark(name) for name in EXPERIMENT.benchmarks_on(split)]
    return [[spec.digest, EXPERIMENT.options(spec.name)] for spec in specs] + [
        list(EXPERIMENT.judge.identity),
        *([server.identity()] if server else []),
    ]


def validation_rows(wildcards):
    """What a method's selection looks at."""
    folders = layout.SettingFolder(wildcards.setting)
    runs = EXPERIMENT.runs(folders, wildcards.method)
    return [run.evaluation().rows(EXPERIMENT.select.benchmark) for run in runs]
