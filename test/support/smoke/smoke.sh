#!/usr/bin/env bash
# What test/package.test.ts runs on each Node, in a project where the package is installed. URL is a local server.
set -euo pipefail
export TASK_QUIET=true TASK_KEEP_ORDER=true
node --version

printf 'id,url\n1,%s/1\n2,%s/2\n' "$URL" "$URL" > a.csv

# run EXECUTOR FIELD: prints what an executor gives for both rows.
run() {
  task-load a.csv --uuid-fields id | eval "task-exec $1" | task-save "$2.csv" --fields "id,result.$2"
  tail -n +2 "$2.csv"
}

task-load a.csv --ledger done.jsonl | task-exec --http | task-save out.csv --fields uuid,id --ledger done.jsonl
task-load a.csv --ledger done.jsonl
task-done count done.jsonl
run --http status
run "--command 'echo {id}{id}' --output json" json
run "--worker 'node worker.mjs'" half
run '--module work.ts' double
run '--module work.ts --threads 2' triple
run '--flow flow.ts --flow-log flow.log' sum
node library.mjs
node library.cjs
