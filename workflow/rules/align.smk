for job in jobs.aligning(EXPERIMENT):

    rule:
        name:
            job.rule
        input:
            jobs.passes(EXPERIMENT, job.setting, job.method),
            job.setting.sft.record,
            method_file(job.method),
        output:
            updated(job.outputs),
        log:
            job.log,
        benchmark:
            job.timing
        priority: jobs.needs(EXPERIMENT, job.method)
        conda:
            "../../environment.yml"
        resources:
            gpu=EXECUTION.gpus_per_run,
        params:
            engine=ENGINE,
            method=method_digest(job.method),
            torch_threads=EXECUTION.threads_per_run,
        shell:
            "PLUMBLINE_LOG={log} $PLUMBLINE_LAUNCHER plumbline align $PLUMBLINE_EXPERIMENT {output:q}"
            " --threads {params.torch_threads} > {log} 2>&1"
