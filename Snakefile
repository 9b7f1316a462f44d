# Plumbline: data -> sft -> reference -> align -> generate -> score -> select -> aggregate -> report
# (generate and score run twice: on validation for every grid point, and, after select, on test).
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    configfile: Path(workflow.basedir) / "config" / "quickstart.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/sft.smk"
include: "workflow/rules/reference.smk"
include: "workflow/rules/align.smk"
include: "workflow/rules/generate.smk"
include: "workflow/rules/score.smk"
include: "workflow/rules/select.smk"
include: "workflow/rules/aggregate.smk"
include: "workflow/rules/report.smk"


rule all:
    default_target: True
    input:
        EXPERIMENT.folder.report,
        # By name: an aggregation that failed has lost them, and an older page would hide it.
        EXPERIMENT.folder.rows,
        EXPERIMENT.folder.tables,
