"""A run handed on: one archive of it, tables from an archive, and two archives as one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import chdir, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from plumbline import config, layout, plugins
from plumbline.artifacts import read_json, read_rows, write_text
from plumbline.cli import aggregate
from plumbline.config import Experiment
from plumbline.errors import IntegrityError
from plumbline.judge.ledger import Ledger
from plumbline.operate.archive import EXPERIMENTS, JUDGMENTS, METADATA, pack, unpacked
from plumbline.operate.merge import experiments
from plumbline.operate.merge import merge as united

#: What the workflow is, of the checkout.
WORKFLOW = ("Snakefile", "environment.yml", "constraints.txt", "workflow/rules/*.smk")


def export(experiment: Path, out: Path, responses: bool, judgments: bool) -> None:
    """Write a finished experiment as one archive.

    Raises IntegrityError where its tables are not there or are of other rows.
    """
    chosen = config.read(experiment)
    if not chosen.folder.provenance.is_file():
        raise IntegrityError(
            f"no {chosen.folder.provenance}; type `snakemake --configfile {experiment}` first"
        )
    if stale := differing(derived(chosen), chosen.folder.tables):
        raise IntegrityError(
            f"{stale[0]} is not what {experiment} and the rows give now; type "
            f"`snakemake --configfile {experiment}` first"
        )
    files = members(chosen, responses)
    with TemporaryDirectory(prefix="plumbline-") as temporary:
        if judgments:
            files[JUDGMENTS] = Path(temporary) / JUDGMENTS
            write_text(files[JUDGMENTS], judgment_lines(chosen))
        write_crate(out, files, [chosen])
    print(f"{len(files)} files, {out.stat().st_size / 2**20:.1f} MiB: {out}")


def write_crate(out: Path, files: dict[str, Path], found: list[Experiment]) -> None:
    """Write files, by their names inside, with what they say of themselves."""
    from plumbline.operate.crate import metadata

    several = [read_json(files[str(item.folder.provenance)]) for item in found]
    provenance = {
        part: {name: value for each in several for name, value in each[part].items()}
        for part in ("files", "environments")
    }
    title = "; ".join(item.report.title for item in found)
    text = " ".join(item.report.lead for item in found).strip() or title
    pack(out, files, metadata(files, title, text, provenance))


def members(experiment: Experiment, responses: bool) -> dict[str, Path]:
    """What an archive holds: the file of each name inside. No model, no text that was asked or
    answered, unless `responses`."""
    home = plugins.HOME
    files = {f"{EXPERIMENTS}/{experiment.experiment}.json": experiment.write()}
    for pattern in WORKFLOW:
        files |= {str(path.relative_to(home)): path for path in sorted(home.glob(pattern))}
    files |= plugin_files(experiment)
    kept = [path for path in results(experiment, responses) if path.is_file()]
    return files | {str(path): path for path in kept}


def plugin_files(experiment: Experiment) -> dict[str, Path]:
    """The files of the methods and benchmarks, with the benchmarks' own folders."""
    trained = filter(experiment.is_trained, experiment.methods)
    paths = [experiment.method(name).path for name in trained]
    files = {f"losses/{path.name}": path for path in paths}
    for name in experiment.benchmarks:
        path = experiment.benchmark(name).path
        own = [item for item in path.with_suffix("").rglob("*") if item.suffix != ".pyc"]
        for item in [path, *filter(Path.is_file, own)]:
            files[f"benchmarks/{item.relative_to(path.parent)}"] = item
    return files


def results(experiment: Experiment, responses: bool) -> list[Path]:
    """Records, selections, rows and tables of an experiment, and its responses if wanted."""
    folder = experiment.folder
    own = [folder.rows, folder.items, folder.dynamics, folder.provenance, folder.audit]
    records = [path for path in aggregate.sources(experiment) if path.suffix == ".json"]
    settings = [item.record for item in experiment.setting_folders().values()]
    answers = [where.responses(name) for where, name in aggregate.evaluations(experiment)]
    tables = [folder.tables / name for name in derived(experiment)]
    return [*settings, *records, *own, *tables, *(answers if responses else [])]


def judgment_lines(experiment: Experiment) -> str:
    """The ledger's judgments of the experiment's items, as lines of JSON, by key."""
    keys = {row["judgment"] for row in read_rows(experiment.folder.items, ["judgment"])}
    with closing(Ledger(layout.ledger())) as ledger:
        rows = [row for row in ledger.judgments() if row["key"] in keys]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def derived(experiment: Experiment) -> dict[str, str]:
    """Path below the folder of tables -> text, for all tables: they depend on files alone."""
    return {
        f"{name}/{file}": text
        for name, folders in experiment.setting_folders().items()
        for file, text in aggregate.files(experiment, name, folders).items()
    }


def differing(found: dict[str, str], folder: Path) -> list[Path]:
    """The tables that are not in `folder` as they were found."""
    paths = {folder / name: text for name, text in found.items()}
    return [
        path
        for path, text in paths.items()
        if not path.is_file() or path.read_bytes() != text.encode()
    ]


def tables(archive: Path, out: Path) -> None:
    """Derive all tables of an archive anew.

    Raises IntegrityError where one is not, byte for byte, the archive's own.
    """
    out = out.resolve()
    with unpacked(archive) as folder, chdir(folder), whole(archive):
        several = [(item, derived(item)) for item in experiments(Path())]
        found = {name: text for _, texts in several for name, text in texts.items()}
        different = [
            path for item, texts in several for path in differing(texts, item.folder.tables)
        ]
    for name, text in found.items():
        write_text(out / name, text)
    if different:
        raise IntegrityError(
            f"{len(different)} of {len(found)} tables in {out} are not the archive's own, "
            f"{different[0]} first: another version of Plumbline made it, see its metadata"
        )
    print(f"{len(found)} tables, each byte for byte the archive's: {out}")


@contextmanager
def whole(archive: Path) -> Iterator[None]:
    """A file that an archive lacks is one error, with its name: IntegrityError."""
    try:
        yield
    except FileNotFoundError as error:
        raise IntegrityError(
            f"{archive} has no {error.filename or error}, which its tables are made from; export it again"
        ) from error


def merge(one: Path, other: Path, out: Path) -> None:
    """Make one archive of two, with tables of what is comparable."""
    out = out.resolve()
    with unpacked(one) as folder, unpacked(other) as second, whole(other):
        told = united(folder, second)
        with chdir(folder):
            found = experiments(Path())
            for item in found:
                for name, text in derived(item).items():
                    write_text(item.folder.tables / name, text)
            paths = [path for path in sorted(Path().rglob("*")) if path.is_file()]
            write_crate(out, {str(path): path for path in paths if str(path) != METADATA}, found)
    print(*told, f"{len(paths) - 1} files: {out}", sep="\n")
