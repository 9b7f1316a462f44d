rule pretrain:
    input:
        ANY.data_record,
    output:
        ANY.pretrain.record,
    log:
        layout.log("pretrain", "{setting}"),
    benchmark:
        layout.timing("pretrain", "{setting}")
    conda:
        "../../environment.yml"
    threads: EXECUTION.base_threads
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        torch_threads=EXECUTION.base_threads,
    shell:
        "PLUMBLINE_LOG={log} plumbline pretrain $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " --threads {params.torch_threads} > {log} 2>&1"


rule sft:
    input:
        ANY.pretrain.record,
    output:
        ANY.sft.record,
    log:
        layout.log("sft", "{setting}"),
    benchmark:
        layout.timing("sft", "{setting}")
    conda:
        "../../environment.yml"
    threads: EXECUTION.base_threads
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        torch_threads=EXECUTION.base_threads,
    shell:
        "PLUMBLINE_LOG={log} $PLUMBLINE_LAUNCHER plumbline sft $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " --threads {params.torch_threads} > {log} 2>&1"
