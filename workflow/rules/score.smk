# Scoring asks judges over the network: on a cluster it stays on the head node.
for job in jobs.scoring_validation(EXPERIMENT):

    rule:
        name:
            job.rule
        input:
            runs=[run.record for run in job.runs],
            responses=jobs.responses(EXPERIMENT, job.evaluations, "validation"),
        output:
            updated(job.outputs),
        log:
            job.log,
        benchmark:
            job.timing
        localrule: True
        conda:
            "../../environment.yml"
        params:
            engine=ENGINE,
            benchmarks=benchmark_digests("validation"),
            torch_threads=EXECUTION.threads_per_run,
        shell:
            "PLUMBLINE_LOG={log} plumbline score $PLUMBLINE_EXPERIMENT validation {input.runs:q}"
            " --threads {params.torch_threads} > {log} 2>&1"


for job in jobs.scoring_test(EXPERIMENT):

    rule:
        name:
            job.rule
        input:
            selections=jobs.selections(EXPERIMENT, job.setting, job.methods),
            responses=jobs.responses(EXPERIMENT, job.evaluations, "test"),
        output:
            updated(job.outputs),
        log:
            job.log,
        benchmark:
            job.timing
        localrule: True
        conda:
            "../../environment.yml"
        params:
            engine=ENGINE,
            benchmarks=benchmark_digests("test"),
            torch_threads=EXECUTION.threads_per_run,
        shell:
            "PLUMBLINE_LOG={log} plumbline score $PLUMBLINE_EXPERIMENT test {input.selections:q}"
            " --threads {params.torch_threads} > {log} 2>&1"
