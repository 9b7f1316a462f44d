# The experiment as objects, and what the rules ask of it. Rules hold no paths and no numbers.
import os
import sys

# Methods and benchmarks are those of this checkout, here and in every job.
os.environ["PLUMBLINE_HOME"] = str(workflow.basedir)

from plumbline import ENGINE, config as experiments, layout, plugins
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
    # Not in the process of a single job: what was allowed goes on.
    if EXPERIMENT.budget.model_fields_set and workflow.is_main_process:
        hold_budget(EXPERIMENT)
except PlumblineError as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(error.exit_code)

SETTINGS = EXPERIMENT.setting_folders()
EXECUTION = EXPERIMENT.execution
ANY = layout.SettingFolder("{setting}")

# Jobs read the experiment as it was parsed, with every override of the command line.
os.environ["PLUMBLINE_EXPERIMENT"] = str(EXPERIMENT.write().resolve())


def launcher():
    """What starts the processes that train one model together; nothing where one is enough."""
    if EXECUTION.processes == 1:
        return ""
    file = (
        Path(workflow.basedir) / "config" / "accelerate" / f"{EXECUTION.launcher}.yaml"
    )
    return (
        f"accelerate launch --config_file {file} --num_processes {EXECUTION.processes}"
        " --main_process_port 0 --no_python"
    )


# In the environment, not in a rule: what is run elsewhere or otherwise is not run again.
os.environ["PLUMBLINE_LAUNCHER"] = launcher()


envvars:
    "PLUMBLINE_EXPERIMENT",
    "PLUMBLINE_HOME",
    "PLUMBLINE_LAUNCHER",


wildcard_constraints:
    setting="|".join(folders.name for folders in SETTINGS.values()),
    method="|".join(EXPERIMENT.entrants),
    feedback="pairs|singles|lists|traceless",
    need="|".join(plugins.ANNOTATED),
    side="chosen|rejected",
    reward="model|head|words",


def chunks(items, size):
    """Items in groups of at most `size`: the work of one process."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def run_chunks(size):
    """(setting, method, number, runs) for every job; `size` tells how many runs it takes."""
    for folders in SETTINGS.values():
        for method in EXPERIMENT.entrants:
            groups = chunks(EXPERIMENT.runs(folders, method), size(method))
            for number, runs in enumerate(groups):
                yield folders, method, str(number), runs


def runs_per_job(method):
    """Runs that one job trains: fewer of a method whose runs take longer."""
    return max(1, EXECUTION.runs_per_job // max(1, needs(method)))


def models_per_job(method):
    """Models that one job asks or scores, of any method."""
    return EXECUTION.models_per_job


def method_chunks():
    """(setting, number, methods) for every job that tests methods."""
    points = EXPERIMENT.grid_points if EXPERIMENT.tested == "grid" else 1
    size = max(1, EXECUTION.models_per_job // (len(EXPERIMENT.seeds) * points))
    for folders in SETTINGS.values():
        groups = chunks(EXPERIMENT.entrants, size)
        for number, methods in enumerate(groups):
            yield folders, str(number), methods


def selections(folders, methods):
    return [folders.selection(EXPERIMENT.experiment, method) for method in methods]


def tested(folders, methods):
    """The evaluation folders of what is tested of some methods: their selected points or grids."""
    return [
        item
        for method in methods
        for item in EXPERIMENT.test_evaluations(folders, method)
    ]


def answered(split):
    """Benchmarks of a split that read answers."""
    return [
        name
        for name in EXPERIMENT.benchmarks_on(split)
        if EXPERIMENT.benchmark(name).needs == "responses"
    ]


def responses(evaluations, split):
    return [item.responses(name) for item in evaluations for name in answered(split)]


def scores(evaluations, split):
    return [
        item.rows(name)
        for item in evaluations
        for name in EXPERIMENT.benchmarks_on(split)
    ]


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


trained = EXPERIMENT.is_trained


def needs(method):
    """How much a method asks of the engine; who asks more takes longer, and starts first."""
    return len(EXPERIMENT.method(method).card.needs) if trained(method) else 0


def method_file(method):
    """Relative, so that a checkout may be moved."""
    return (
        ancient(os.path.relpath(EXPERIMENT.method(method).path))
        if trained(method)
        else []
    )


def method_references(folders, method):
    """The reference file that a method's feedback needs, and what else it asks to be computed."""
    if not trained(method):
        return []
    spec, prompts = EXPERIMENT.method(method), EXPERIMENT.prompts(method)
    return [
        *([folders.rewards(prompts.reward)] if prompts else []),
        *map(folders.reference, spec.references),
        *([folders.embeddings(spec.feedback)] if spec.embedded else []),
        *(folders.annotation(spec.feedback, need) for need in spec.annotated),
    ]


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
