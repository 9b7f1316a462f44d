# Scoring asks judges over the network: on a cluster it stays on the head node.
for folders, method, number, runs in run_chunks(models_per_job):

    rule:
        name:
            f"score_validation_{folders.name}_{method}_{number}"
        input:
            runs=[run.record for run in runs],
            responses=responses([run.evaluation() for run in runs], "validation"),
        output:
            updated(scores([run.evaluation() for run in runs], "validation")),
        log:
            layout.log("score", "validation", folders.name, method, number),
        benchmark:
            layout.timing("score", "validation", folders.name, method, number)
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


for folders, number, methods in method_chunks():

    rule:
        name:
            f"score_test_{folders.name}_{number}"
        input:
            selections=selections(folders, methods),
            responses=responses(tested(folders, methods), "test"),
        output:
            updated(scores(tested(folders, methods), "test")),
        log:
            layout.log("score", "test", folders.name, number),
        benchmark:
            layout.timing("score", "test", folders.name, number)
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
