"""The command line: one command a stage, each importing only what it uses."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from plumbline.cli import notes
from plumbline.errors import PlumblineError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Plumbline benchmarks preference optimization. Snakemake calls these commands, one a "
    "stage, in the order below; `snakemake --cores 2` runs them all.",
)
BY_HAND = "Beside the workflow"
judge = typer.Typer(
    no_args_is_help=True, help="The judge: serve it, price it, measure it, and its ledger."
)
app.add_typer(judge, name="judge", rich_help_panel=BY_HAND)

ExperimentFile = Annotated[Path, typer.Argument(help="experiment file, YAML or JSON")]
SettingName = Annotated[str, typer.Argument(help="name of the setting's folder under results/")]
Feedback = Annotated[
    Literal["pairs", "singles", "lists"], typer.Argument(help="pairs, singles or lists")
]
ReferenceName = Annotated[
    Literal["pairs", "singles", "lists", "traceless"],
    typer.Argument(help="pairs, singles or lists; or traceless, pairs without their traces"),
]
Method = Annotated[str, typer.Argument(help="name of a method in the experiment file")]
Split = Annotated[Literal["validation", "test"], typer.Argument(help="validation or test")]
Records = Annotated[list[Path], typer.Argument(help="the run.json that each run is to leave")]
Targets = Annotated[
    list[Path],
    typer.Argument(help="which models: on validation run.json files, on test selection files"),
]
MethodFolders = Annotated[
    list[Path],
    typer.Option(exists=True, file_okay=False, help="one more folder with methods; repeatable"),
]
Threads = Annotated[
    int, typer.Option(help="torch threads; another number can change the last bits of a result")
]


def main() -> None:
    """Entry point: a Plumbline error is one message and its own exit code, not a traceback."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        with notes.of_job():
            app()
    except PlumblineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from error


def _torch(threads: int) -> None:
    """Fix torch's thread count: a setting of the experiment, never of the scheduler.

    A process that was not launched with others holds the GPUs that a job asks for, and sees one of
    them: the Trainer would copy its model to all that it sees.
    """
    if "WORLD_SIZE" not in os.environ:
        from plumbline.operate import devices

        devices.hold(int(os.environ.get(devices.GPUS, 0)))
        os.environ[devices.VISIBLE] = os.environ.get(devices.VISIBLE, "0").split(",")[0]
    import torch

    torch.set_num_threads(threads)


@app.command()
def data(experiment: ExperimentFile, setting: SettingName) -> None:
    """Write a setting's data, one file a split."""
    from plumbline.cli import data as stage

    stage.run(experiment, setting)


@app.command()
def pretrain(experiment: ExperimentFile, setting: SettingName, threads: Threads = 1) -> None:
    """Make the base model, or fetch the one that the setting names."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train import base

    _torch(threads)
    chosen = config.read(experiment)
    base.pretrain(chosen.setting_at(setting), SettingFolder(setting), chosen.execution)


@app.command()
def sft(experiment: ExperimentFile, setting: SettingName, threads: Threads = 1) -> None:
    """Fine-tune the base model on demonstrations or chosen completions."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train import base

    _torch(threads)
    chosen = config.read(experiment)
    base.sft(chosen.setting_at(setting), SettingFolder(setting), chosen.execution)


@app.command()
def reference(
    experiment: ExperimentFile, setting: SettingName, feedback: ReferenceName, threads: Threads = 1
) -> None:
    """Compute the SFT model's log-probabilities of the training rows."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train import reference as stage

    _torch(threads)
    chosen, folders = config.read(experiment), SettingFolder(setting)
    stage.reference(chosen.setting_at(setting), folders, feedback, chosen.execution)


@app.command()
def embed(
    experiment: ExperimentFile, setting: SettingName, feedback: Feedback, threads: Threads = 1
) -> None:
    """Compute the SFT model's embeddings of the training rows' prompts."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train import reference as stage

    _torch(threads)
    chosen, folders = config.read(experiment), SettingFolder(setting)
    stage.embeddings(chosen.setting_at(setting), folders, feedback, chosen.execution)


@app.command()
def auxiliary(
    experiment: ExperimentFile,
    setting: SettingName,
    side: Annotated[
        Literal["chosen", "rejected"], typer.Argument(help="chosen, or rejected: labels reversed")
    ],
    threads: Threads = 1,
) -> None:
    """Train a model with DPO that only serves the training of others."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train.auxiliary import AuxiliaryBench

    _torch(threads)
    folders = SettingFolder(setting)
    bench = AuxiliaryBench(config.read(experiment), folders, "dpo", side)
    print(bench.train(folders.auxiliary(side)))


@app.command()
def reward(
    experiment: ExperimentFile,
    setting: SettingName,
    name: Annotated[
        Literal["model", "head", "words"], typer.Argument(help="model, head or words: its size")
    ],
    threads: Threads = 1,
) -> None:
    """Train a reward on the pairs of most prompts, and ask it about the answers to the others."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train import rewards as stage

    _torch(threads)
    chosen, folders = config.read(experiment), SettingFolder(setting)
    stage.rewards(chosen.setting_at(setting), folders, name, chosen.execution)


@app.command()
def annotate(
    experiment: ExperimentFile,
    setting: SettingName,
    feedback: Feedback,
    need: Annotated[str, typer.Argument(help="what methods declare, e.g. token_reference")],
    threads: Threads = 1,
) -> None:
    """Compute what some methods need to know of each token of the training rows."""
    from plumbline import config
    from plumbline.layout import SettingFolder
    from plumbline.train import annotate as stage

    _torch(threads)
    chosen, folders = config.read(experiment), SettingFolder(setting)
    stage.annotate(chosen.setting_at(setting), folders, feedback, need, chosen.execution)


@app.command()
def align(experiment: ExperimentFile, records: list[Path], threads: Threads = 1) -> None:
    """Train runs, given the paths of their run.json."""
    from plumbline.cli import align as stage

    _torch(threads)
    stage.run(experiment, records)


@app.command()
def generate(
    experiment: ExperimentFile, split: Split, paths: Targets, threads: Threads = 1
) -> None:
    """Let models answer the prompts of the benchmarks."""
    from plumbline.cli import generate as stage

    _torch(threads)
    stage.run(experiment, split, paths)


@app.command()
def score(experiment: ExperimentFile, split: Split, paths: Targets, threads: Threads = 1) -> None:
    """Score models on the benchmarks, asking the judge where one is needed."""
    from plumbline.cli import score as stage

    stage.run(experiment, split, paths, threads)


@app.command()
def select(experiment: ExperimentFile, setting: SettingName, method: Method) -> None:
    """Choose a method's point by its validation scores."""
    from plumbline import config, keep
    from plumbline import select as stage
    from plumbline.again import making
    from plumbline.layout import SettingFolder

    chosen, folders = config.read(experiment), SettingFolder(setting)
    with making([folders.selection(chosen.experiment, method)]):
        stage.select(chosen, folders, method)
    keep.remove_models(keep.unselected(chosen, folders, method))


@app.command()
def aggregate(experiment: ExperimentFile) -> None:
    """Collect all numbers of an experiment and write its tables."""
    from plumbline.cli import aggregate as stage

    stage.run(experiment)


@app.command()
def report(experiment: ExperimentFile) -> None:
    """Draw the figures and write the page of an experiment."""
    from plumbline.cli import report as stage

    stage.run(experiment)


@app.command(rich_help_panel=BY_HAND)
def plan(
    file: Annotated[Path | None, typer.Argument(help="experiment file, YAML or JSON")] = None,
    configfile: Annotated[Path | None, typer.Option(help="the same, as Snakemake has it")] = None,
    profile: Annotated[
        Path | None, typer.Option(help="where it will run, e.g. profiles/slurm; else 2 cores here")
    ] = None,
    history: Annotated[
        Path | None, typer.Option(help="another results folder, for what its jobs took")
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="assumed where nothing was measured: h100, a100 or core")
    ] = None,
    flops: Annotated[
        float | None, typer.Option(help="operations a second that it gets done in training")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="everything as JSON")] = False,
) -> None:
    """Tell what a run will take before it runs: jobs, hours, memory, disk, judgments."""
    from plumbline import layout
    from plumbline.cli import plan as stage

    stage.run(file, configfile, profile, history or layout.RESULTS, device, flops, as_json)


@app.command(rich_help_panel=BY_HAND)
def summary(experiment: ExperimentFile) -> None:
    """Print Table 1 of a finished experiment, and where its page is."""
    from plumbline import config
    from plumbline.cli import tables
    from plumbline.report.terminal import summary as text

    chosen = config.read(experiment)
    for name, folders in chosen.setting_folders().items():
        print(text(tables.table(chosen, chosen.settings[name], folders)))
    print(f"\nThe page: {chosen.folder.report.resolve().as_uri()}")


@app.command("devices", rich_help_panel=BY_HAND)
def run_on_devices(
    count: Annotated[int, typer.Argument(min=0, help="how many GPUs it needs")],
    command: Annotated[list[str], typer.Argument(help="what to run, after `--`")],
) -> None:
    """Run a command on GPUs that no other job of yours holds, once as many are free."""
    from plumbline.operate import devices

    devices.hold(count)
    os.execvp(command[0], command)


@app.command(rich_help_panel=BY_HAND)
def methods(
    path: MethodFolders = (),
    as_json: Annotated[bool, typer.Option("--json", help="all that their files say")] = False,
) -> None:
    """List all methods: feedback, hyperparameters with default and range, needs, paper, place."""
    from plumbline.cli import methods as listing

    listing.run(list(path), as_json)


@app.command(rich_help_panel=BY_HAND)
def check(
    path: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="losses/NAME.py")],
) -> None:
    """Hold one method file to the contract; say in sentences what is wrong with it."""
    from plumbline.cli import check as contract

    _torch(threads=1)
    raise typer.Exit(contract.run(path))


@app.command("new-method", rich_help_panel=BY_HAND)
def new_method(
    name: Annotated[str, typer.Argument(help="its name: lower-case letters, digits, underscores")],
    like: Annotated[str, typer.Option(help="the method whose file it is made from")] = "dpo",
    path: Annotated[
        Path | None, typer.Option(file_okay=False, help="a folder of your own, not losses/")
    ] = None,
) -> None:
    """Write a new method's file and its test, which name what to change."""
    from plumbline.cli import new_method as scaffold

    scaffold.run(name, like, path)


@app.command(rich_help_panel=BY_HAND)
def loss(
    name: Annotated[str, typer.Argument(help="name of a method")],
    batch: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="JSON, as docs/outside.md says"),
    ],
    values: Annotated[
        list[str], typer.Option("--set", metavar="KEY=VALUE", help="a hyperparameter; repeatable")
    ] = (),
    more: Annotated[
        list[str], typer.Argument(metavar="KEY=VALUE", help="more of what --set takes")
    ] = (),
    float64: Annotated[bool, typer.Option("--float64", help="instead of float32")] = False,
    path: MethodFolders = (),
) -> None:
    """Print a method's losses and gradients on given log-probabilities, as JSON."""
    _torch(threads=1)
    import torch

    from plumbline.cli import loss as numbers

    dtype = torch.float64 if float64 else torch.float32
    numbers.run(name, batch, [*values, *more], list(path), dtype)


@app.command(
    rich_help_panel=BY_HAND,
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def rescore(
    context: typer.Context,
    benchmark: Annotated[str, typer.Argument(help="alone, it names its options")],
) -> None:
    """Print a benchmark's scores of recorded judgments as JSON: BENCHMARK --key value ..."""
    from plumbline.cli import rescore as recorded

    recorded.run(benchmark, context.args)


@app.command(rich_help_panel=BY_HAND)
def contamination(
    experiment: Annotated[Path | None, typer.Argument(help="experiment file, YAML or JSON")] = None,
    train: Annotated[Path | None, typer.Option(help="or: a file of training prompts")] = None,
    items: Annotated[Path | None, typer.Option(help="and a file of evaluation items")] = None,
) -> None:
    """Print how many evaluation items are in the training prompts."""
    from plumbline.cli import contamination as overlap

    overlap.run(experiment, train, items)


@app.command(rich_help_panel=BY_HAND)
def why(
    experiment: ExperimentFile,
    table: Annotated[str, typer.Argument(help="table1, uncertainty, protocol or validation_grid")],
    method: Annotated[str, typer.Argument(help="the line, by name or title")],
    column: Annotated[str, typer.Argument(help="the column's title, or a point")],
    setting: Annotated[str | None, typer.Option(help="where the file has several")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the whole chain")] = False,
) -> None:
    """Print the files and commands behind a cell, from the table back to the data."""
    from plumbline.cli import why as chain

    chain.run(experiment, table, method, column, setting, as_json)


@app.command(rich_help_panel=BY_HAND)
def status(
    experiment: ExperimentFile,
    as_json: Annotated[bool, typer.Option("--json", help="everything, for scripts")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="until nothing runs any more")] = False,
) -> None:
    """Print what is done, running, failed and missing, job by job and cell by cell."""
    from plumbline.cli import status as standing

    raise typer.Exit(standing.run(experiment, as_json, watch))


@app.command("export", rich_help_panel=BY_HAND)
def export_run(
    experiment: ExperimentFile,
    out: Annotated[Path, typer.Argument(help="the archive to write, .zip")],
    responses: Annotated[bool, typer.Option("--responses", help="prompts and answers too")] = False,
    judgments: Annotated[
        bool, typer.Option("--judgments", help="the ledger's, with the texts judged")
    ] = False,
) -> None:
    """Write a finished run as one archive (Workflow Run RO-Crate), without models and texts."""
    from plumbline.cli import archive

    archive.export(experiment, out, responses, judgments)


@app.command(rich_help_panel=BY_HAND)
def tables(
    crate: Annotated[Path, typer.Argument(help="an archive that export or merge wrote")],
    out: Annotated[Path, typer.Argument(file_okay=False, help="the folder to write them to")],
) -> None:
    """Derive all tables of an archive anew; needs no GPU, no judge and no torch."""
    from plumbline.cli import archive

    archive.tables(crate, out)


@app.command(rich_help_panel=BY_HAND)
def merge(
    one: Annotated[Path, typer.Argument(help="an archive")],
    other: Annotated[Path, typer.Argument(help="another")],
    out: Annotated[Path, typer.Argument(help="the archive to write, .zip")],
) -> None:
    """Make one archive of two; what cannot be compared stays apart, and says why."""
    from plumbline.cli import archive

    archive.merge(one, other, out)


@app.command(rich_help_panel=BY_HAND)
def certify(
    claims: Annotated[Path, typer.Argument(help="claims file, as those in config/claims/")],
    run: Annotated[
        list[Path],
        typer.Option(help="experiment file that has run, or CSV tables; repeatable"),
    ] = (),
    grim: Annotated[
        bool, typer.Option("--grim", help="hold printed percentages against their n, too")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="everything as JSON")] = False,
) -> None:
    """Hold claims against a run, number by number: reproduced, within noise, or not."""
    from plumbline.cli import certify as stage

    stage.run(claims, list(run), grim, as_json)


@judge.command()
def serve(
    name: Annotated[
        str | None, typer.Option(help="toyland-gold, or surface-judge for any text")
    ] = None,
    experiment: Annotated[Path | None, typer.Option(help="or the judge of this file")] = None,
) -> None:
    """Answer judges' prompts on this machine until Ctrl-C; prints the address and the key."""
    from plumbline.cli import judge as stage

    stage.serve(stage.chosen(experiment, name))


@judge.command()
def cost(experiment: ExperimentFile) -> None:
    """Estimate calls, tokens and money before anything is spent; list what was spent."""
    from plumbline.cli import judge as stage

    stage.cost(experiment)


@judge.command()
def fill(experiment: ExperimentFile) -> None:
    """Ask again for judgments that failed."""
    from plumbline.cli import judge as stage

    stage.fill(experiment)


@judge.command()
def audit(
    experiment: ExperimentFile,
    recorded: Annotated[Path, typer.Argument(help="YAML: benchmark → files of recorded verdicts")],
    out: Annotated[Path, typer.Option(help="where to keep the figures")] = Path("audit.json"),
    limit: Annotated[int, typer.Option(help="cases of each benchmark")] = 100,
    draws: Annotated[int, typer.Option(help="answers asked for each request")] = 2,
) -> None:
    """Measure the judge: position bias, agreement with itself and with recorded judgments."""
    from plumbline.cli import judge as stage

    stage.audit(experiment, recorded, limit, draws, out)


@judge.command()
def export(path: Annotated[Path, typer.Argument(help="the file to write, JSON lines")]) -> None:
    """Write the ledger's judgments to a file."""
    from plumbline.cli import judge as stage

    stage.export(path)


@judge.command("import")
def take_in(
    paths: Annotated[list[Path], typer.Argument(help="exports, or other ledgers (.sqlite)")],
) -> None:
    """Add judgments of exports or other ledgers to the ledger."""
    from plumbline.cli import judge as stage

    stage.take_in(paths)


@judge.command()
def show(key: Annotated[str, typer.Argument(help="a judgment's key, or how it begins")]) -> None:
    """Print one judgment of the ledger."""
    from plumbline.cli import judge as stage

    stage.show(key)
