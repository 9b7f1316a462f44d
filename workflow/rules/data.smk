rule data:
    output:
        ANY.data_record,
        ANY.record,
    log:
        layout.log("data", "{setting}"),
    benchmark:
        layout.timing("data", "{setting}")
    conda:
        "../../environment.yml"
    params:
        engine=ENGINE,
    shell:
        "PLUMBLINE_LOG={log} plumbline data $PLUMBLINE_EXPERIMENT {wildcards.setting} > {log} 2>&1"
