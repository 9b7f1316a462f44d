for folders, method, number, runs in run_chunks(models_per_job):

    rule:
        name:
            f"generate_validation_{folders.name}_{method}_{number}"
        input:
            [run.record for run in runs],
        output:
            updated(responses([run.evaluation() for run in runs], "validation")),
        log:
            layout.log("generate", "validation", folders.name, method, number),
        benchmark:
            layout.timing("generate", "validation", folders.name, method, number)
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


for folders, number, methods in method_chunks():

    rule:
        name:
            f"generate_test_{folders.name}_{number}"
        input:
            selections(folders, methods),
        output:
            updated(responses(tested(folders, methods), "test")),
        log:
            layout.log("generate", "test", folders.name, number),
        benchmark:
            layout.timing("generate", "test", folders.name, number)
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
