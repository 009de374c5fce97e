#!/usr/bin/env bash
# Asks a JSON API about each row of a CSV, and keeps two fields of the answer: stars and open issues of repositories.
#
#     examples/api.sh [REPOSITORIES [OUT]]
#
# The variable API is the address of the service. Answered rows are not asked again: to ask for all of them, delete OUT
# and OUT.done.jsonl, or name another OUT.
set -euo pipefail

repositories=${1:-$(dirname "$0")/repositories.csv}
out=${2:-stars.csv}
api=${API:-https://api.github.com}
export TASK_LEDGER=$out.done.jsonl

# --url: {owner} is a column, percent-encoded.
# --expect-json: an answer without the field that we need is a failure, whatever its status.
# --header: put a secret header into a file (--header @token.txt), because other users can see command lines.
# --fields: the members of an answer are below result.json; by the uuid, task-save knows which rows it has.
task-load "$repositories" --uuid-fields owner,name |
  task-exec --http --url "$api/repos/{owner}/{name}" --expect-json 'stargazers_count != `null`' \
    --header 'Accept: application/vnd.github+json' --host-rate 10/s |
  task-save "$out" --fields uuid,owner,name,result.json.stargazers_count,result.json.open_issues_count
