# The file is kept while it is made again: what it was decides whether it was reopened.
rule select:
    input:
        validation_rows,
    output:
        updated([ANY.selection(EXPERIMENT.experiment, "{method}")]),
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
