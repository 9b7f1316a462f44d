rule aggregate:
    input:
        jobs.collected(EXPERIMENT),
        EXPERIMENT.judge.audit or [],
    output:
        EXPERIMENT.folder.rows,
        EXPERIMENT.folder.items,
        EXPERIMENT.folder.dynamics,
        EXPERIMENT.folder.provenance,
        directory(EXPERIMENT.folder.tables),
    log:
        layout.log("aggregate", EXPERIMENT.experiment),
    benchmark:
        layout.timing("aggregate", EXPERIMENT.experiment)
    localrule: True
    conda:
        "../../environment.yml"
    params:
        report=EXPERIMENT.report.model_dump(),
        methods=EXPERIMENT.methods,
        models={name: model.model_dump() for name, model in EXPERIMENT.models.items()},
        judge=list(EXPERIMENT.judge.identity),
    shell:
        "PLUMBLINE_LOG={log} plumbline aggregate $PLUMBLINE_EXPERIMENT > {log} 2>&1"
