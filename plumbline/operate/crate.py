"""A run as a Workflow Run RO-Crate: what its archive's metadata say.

Profile: https://w3id.org/ro/wfrun/workflow/0.5, on RO-Crate 1.1. One main workflow, the Snakefile,
and one CreateAction: what went in, what came out, on which machine, when, with which software.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from rocrate.model import ContextEntity
from rocrate.rocrate import ROCrate

from plumbline.artifacts import file_digest
from plumbline.provenance import machine_words

Row = dict[str, Any]
PROFILES = (
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
WORKFLOW = "Snakefile"
LICENSE = "https://spdx.org/licenses/Apache-2.0"
#: What the run was made from; all other files came out of it, or are the workflow's.
INPUTS = ("experiments/", "losses/", "benchmarks/", "also/")
CODE = (WORKFLOW, "workflow/", "environment.yml", "constraints.txt")


def metadata(files: Mapping[str, Path], title: str, text: str, provenance: Row) -> str:
    """The metadata of a run's files, by their names inside, as JSON-LD; the same for the same run.

    provenance: of `provenance.traces`.
    """
    crate = ROCrate(version="1.1")
    crate.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    begun, ended = span(provenance)
    crate.root_dataset["datePublished"] = ended
    crate.name, crate.description, crate.license = title, text, _license(crate)
    crate.root_dataset["conformsTo"] = [_profile(crate, link) for link in PROFILES]
    software = [_package(crate, *item) for item in packages(provenance)]
    entities = {name: _file(crate, name, path) for name, path in sorted(files.items())}
    entities[WORKFLOW]["softwareRequirements"] = software
    action = {
        "@type": "CreateAction",
        "name": f"Run of {title}",
        "instrument": entities[WORKFLOW],
        "object": [item for name, item in entities.items() if name.startswith(INPUTS)],
        "result": [
            item for name, item in entities.items() if not name.startswith((*INPUTS, *CODE))
        ],
        "agent": [_machine(crate, *item) for item in provenance["environments"].items()],
        "startTime": begun,
        "endTime": ended,
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }
    crate.root_dataset["mentions"] = [crate.add(ContextEntity(crate, "#run", action))]
    return json.dumps(crate.metadata.generate(), indent=1, sort_keys=True) + "\n"


def span(provenance: Row) -> tuple[str, str]:
    """When the first of the files was begun and the last was finished, as ISO 8601."""
    known = [trace for trace in provenance["files"].values() if trace]
    ends = [datetime.fromisoformat(trace["finished"]) for trace in known]
    begins = [
        end - timedelta(seconds=trace["seconds"]) for end, trace in zip(ends, known, strict=True)
    ]
    return min(begins).isoformat(timespec="seconds"), max(ends).isoformat(timespec="seconds")


def packages(provenance: Row) -> list[tuple[str, str]]:
    """Every package and version that made a file, Python among them."""
    environments = provenance["environments"].values()
    pairs = {pair for item in environments for pair in item["packages"].items()}
    return sorted(pairs | {("python", item["python"]) for item in environments})


def _file(crate: ROCrate, name: str, path: Path) -> Any:
    about = {"sha256": file_digest(path), "contentSize": str(path.stat().st_size)}
    if name != WORKFLOW:
        return crate.add_file(path, name, properties=about | {"name": Path(name).name})
    return crate.add_workflow(path, name, main=True, lang="snakemake", properties=about)


def _license(crate: ROCrate) -> Any:
    return crate.add(ContextEntity(crate, LICENSE, {"@type": "CreativeWork", "name": "Apache 2.0"}))


def _profile(crate: ROCrate, link: str) -> Any:
    about = {"@type": "CreativeWork", "name": link, "version": link.rsplit("/", 1)[1]}
    return crate.add(ContextEntity(crate, link, about))


def _package(crate: ROCrate, name: str, version: str) -> Any:
    about = {"@type": "SoftwareApplication", "name": name, "softwareVersion": version}
    return crate.add(ContextEntity(crate, f"#{name}-{version}", about))


def _machine(crate: ROCrate, name: str, environment: Row) -> Any:
    text = f"code {environment['code']}, engine {environment['engine']}"
    about = {
        "@type": "Thing",
        "name": machine_words(environment["machine"]),
        "description": f"Python {environment['python']}, Plumbline's {text}",
    }
    return crate.add(ContextEntity(crate, f"#environment-{name}", about))
