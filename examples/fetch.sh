#!/usr/bin/env bash
# Fetches the urls of a CSV into another CSV, each once. After a stop (Ctrl-C) or a kill, the same command continues;
# after its end, it retries failed tasks, and nothing else.
#
#     examples/fetch.sh [URLS [OUT]]
#
# Failed tasks are in OUT.rest.ndjson, with the reason, and make the exit code 1.
set -euo pipefail # pipefail: a loader that cannot read its file is an error, too

urls=${1:-$(dirname "$0")/urls.csv}
out=${2:-pages.csv}
export TASK_LEDGER=$out.done.jsonl # for all stages: task-save writes finished tasks there, task-load leaves them out

# --uuid-fields: the url identifies a task, which stays the same if other columns of its row change.
# --per-host: requests at once to one host, however many urls it has; --host-rate 5/s also limits its rate.
# --body text: for every content type; without it, a JSON body is in result.json. For files: --body-dir FOLDER.
task-load "$urls" --uuid-fields url |
  task-exec --http -j 20 --per-host 4 --body text |
  task-save "$out" --fields uuid,url,result.status,result.type,result.text
