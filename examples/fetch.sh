#!/usr/bin/env bash
# Fetches the urls of a CSV into another CSV, each once. Stopped (Ctrl-C) or killed, the same command goes on where it
# was; run again after its end, it tries again what failed, and nothing else.
#
#     examples/fetch.sh [URLS [OUT]]
#
# What failed is in OUT.rest.ndjson, with the reason, and makes the exit code 1.
set -euo pipefail # pipefail: a loader that can't read its file is an error too

urls=${1:-$(dirname "$0")/urls.csv}
out=${2:-pages.csv}
export TASK_LEDGER=$out.done.jsonl # for all stages: what is finished is written there, and left out next time

# --uuid-fields: a task is its url, and stays the same task when other columns of its row change.
# --per-host: what one host has to bear, however many of the urls are its own; --host-rate 5/s bounds it further.
# --body text: whatever the type; without it the body of JSON is in result.json. For files, --body-dir FOLDER.
task-load "$urls" --uuid-fields url |
  task-exec --http -j 20 --per-host 4 --body text |
  task-save "$out" --fields uuid,url,result.status,result.type,result.text
