rule report:
    input:
        EXPERIMENT.folder.rows,
        EXPERIMENT.folder.items,
        EXPERIMENT.folder.dynamics,
        EXPERIMENT.folder.provenance,
    output:
        EXPERIMENT.folder.report,
        directory(EXPERIMENT.folder.figures),
    log:
        layout.log("report", EXPERIMENT.experiment),
    benchmark:
        layout.timing("report", EXPERIMENT.experiment)
    localrule: True
    conda:
        "../../environment.yml"
    params:
        report=EXPERIMENT.report.model_dump(),
        differences=[item.model_dump() for item in EXPERIMENT.differences],
    shell:
        "PLUMBLINE_LOG={log} plumbline report $PLUMBLINE_EXPERIMENT > {log} 2>&1"
