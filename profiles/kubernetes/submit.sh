#!/bin/sh
# submit.sh GPUS MEGABYTES SCRIPT: start a job script of Snakemake's as a Job, and print its name.
set -eu
kubectl create --output name --filename - <<JOB
apiVersion: batch/v1
kind: Job
metadata:
  generateName: plumbline-
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      containers:
        - name: job
          image: "$PLUMBLINE_IMAGE"
          command: ["sh", "$3"]
          workingDir: "$PWD"
          resources:
            requests: {cpu: 1}
            limits: {memory: "${2}M", nvidia.com/gpu: "$1"}
          volumeMounts: [{name: plumbline, mountPath: /plumbline}]
      volumes:
        - name: plumbline
          persistentVolumeClaim: {claimName: plumbline}
JOB
