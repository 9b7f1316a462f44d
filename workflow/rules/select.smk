def validation_rows(wildcards):
    folders = layout.SettingFolder(wildcards.setting)
    runs = EXPERIMENT.runs(folders, wildcards.method)
    return [run.evaluation().rows(EXPERIMENT.select.benchmark) for run in runs]


rule select:
    localrule: True
    input:
        validation_rows,
    output:
        ANY.selection(EXPERIMENT.experiment, "{method}"),
    log:
        layout.log("select", "{setting}", "{method}"),
    benchmark:
        layout.timing("select", "{setting}", "{method}")
    conda:
        "../../environment.yml"
    params:
        select=EXPERIMENT.select.model_dump(),
    shell:
        "PLUMBLINE_LOG={log} plumbline select $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.method} > {log} 2>&1"
