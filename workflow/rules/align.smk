for folders, method, number, runs in run_chunks(runs_per_job):

    rule:
        name:
            f"align_{folders.name}_{method}_{number}"
        input:
            method_references(folders, method),
            folders.sft.record,
            method_file(method),
        output:
            updated(run.record for run in runs),
        log:
            layout.log("align", folders.name, method, number),
        benchmark:
            layout.timing("align", folders.name, method, number)
        priority: needs(method)
        conda:
            "../../environment.yml"
        resources:
            gpu=EXECUTION.gpus_per_run,
        params:
            engine=ENGINE,
            method=method_digest(method),
            torch_threads=EXECUTION.threads_per_run,
        shell:
            "PLUMBLINE_LOG={log} $PLUMBLINE_LAUNCHER plumbline align $PLUMBLINE_EXPERIMENT {output:q}"
            " --threads {params.torch_threads} > {log} 2>&1"
