for job in jobs.generating_validation(EXPERIMENT):

    rule:
        name:
            job.rule
        input:
            [run.record for run in job.runs],
        output:
            updated(job.outputs),
        log:
            job.log,
        benchmark:
            job.timing
        conda:
            "../../environment.yml"
        resources:
            gpu=EXECUTION.gpus_per_run,
        params:
            engine=ENGINE,
            benchmarks=benchmark_digests("validation"),
            torch_threads=EXECUTION.threads_per_run,
        shell:
            "PLUMBLINE_LOG={log} plumbline generate $PLUMBLINE_EXPERIMENT validation {input:q}"
            " --threads {params.torch_threads} > {log} 2>&1"


for job in jobs.generating_test(EXPERIMENT):

    rule:
        name:
            job.rule
        input:
            jobs.selections(EXPERIMENT, job.setting, job.methods),
        output:
            updated(job.outputs),
        log:
            job.log,
        benchmark:
            job.timing
        conda:
            "../../environment.yml"
        resources:
            gpu=EXECUTION.gpus_per_run,
        params:
            engine=ENGINE,
            benchmarks=benchmark_digests("test"),
            torch_threads=EXECUTION.threads_per_run,
        shell:
            "PLUMBLINE_LOG={log} plumbline generate $PLUMBLINE_EXPERIMENT test {input:q}"
            " --threads {params.torch_threads} > {log} 2>&1"
