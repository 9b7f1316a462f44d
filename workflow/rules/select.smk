rule select:
    input:
        validation_rows,
    output:
        ANY.selection(EXPERIMENT.experiment, "{method}"),
    log:
        layout.log("select", "{setting}", "{method}"),
    benchmark:
        layout.timing("select", "{setting}", "{method}")
    localrule: True
    conda:
        "../../environment.yml"
    params:
        select=EXPERIMENT.select.model_dump(),
    shell:
        "PLUMBLINE_LOG={log} plumbline select $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.method} > {log} 2>&1"
