rule reference:
    input:
        ANY.sft.record,
    output:
        ANY.reference("{feedback}"),
    log:
        layout.log("reference", "{setting}", "{feedback}"),
    benchmark:
        layout.timing("reference", "{setting}", "{feedback}")
    conda:
        "../../environment.yml"
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        torch_threads=EXECUTION.threads_per_run,
    shell:
        "PLUMBLINE_LOG={log} plumbline reference $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.feedback} --threads {params.torch_threads} > {log} 2>&1"


# Only for methods that declare a need of it.
rule embed:
    input:
        ANY.sft.record,
    output:
        ANY.embeddings("{feedback}"),
    log:
        layout.log("embed", "{setting}", "{feedback}"),
    benchmark:
        layout.timing("embed", "{setting}", "{feedback}")
    conda:
        "../../environment.yml"
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        torch_threads=EXECUTION.threads_per_run,
    shell:
        "PLUMBLINE_LOG={log} plumbline embed $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.feedback} --threads {params.torch_threads} > {log} 2>&1"


rule auxiliary:
    input:
        ANY.sft.record,
        ANY.reference("pairs"),
        method_file("dpo"),
    output:
        ANY.auxiliary("{side}").record,
    log:
        layout.log("auxiliary", "{setting}", "{side}"),
    benchmark:
        layout.timing("auxiliary", "{setting}", "{side}")
    conda:
        "../../environment.yml"
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        method=method_digest("dpo"),
        torch_threads=EXECUTION.threads_per_run,
    shell:
        "PLUMBLINE_LOG={log} $PLUMBLINE_LAUNCHER plumbline auxiliary $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.side} --threads {params.torch_threads} > {log} 2>&1"


# Only for variants that learn from prompts which a reward chose.
rule reward:
    input:
        ANY.sft.record,
    output:
        ANY.rewards("{reward}"),
    log:
        layout.log("reward", "{setting}", "{reward}"),
    benchmark:
        layout.timing("reward", "{setting}", "{reward}")
    conda:
        "../../environment.yml"
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        torch_threads=EXECUTION.threads_per_run,
    shell:
        "PLUMBLINE_LOG={log} plumbline reward $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.reward} --threads {params.torch_threads} > {log} 2>&1"


rule annotate:
    input:
        ANY.sft.record,
        annotation_models,
    output:
        ANY.annotation("{feedback}", "{need}"),
    log:
        layout.log("annotate", "{setting}", "{feedback}", "{need}"),
    benchmark:
        layout.timing("annotate", "{setting}", "{feedback}", "{need}")
    conda:
        "../../environment.yml"
    resources:
        gpu=EXECUTION.gpus_per_run,
    params:
        engine=ENGINE,
        torch_threads=EXECUTION.threads_per_run,
    shell:
        "PLUMBLINE_LOG={log} plumbline annotate $PLUMBLINE_EXPERIMENT {wildcards.setting}"
        " {wildcards.feedback} {wildcards.need} --threads {params.torch_threads} > {log} 2>&1"
