#!/usr/bin/env bash
# Asks a JSON API about each row of a CSV, and keeps two fields of the answer: the stars and open issues of repositories.
#
#     examples/api.sh [REPOSITORIES [OUT]]
#
# The variable API says where the service is. What was answered is not asked again: to have it anew, delete OUT and
# OUT.done.jsonl, or name another OUT.
set -euo pipefail

repositories=${1:-$(dirname "$0")/repositories.csv}
out=${2:-stars.csv}
api=${API:-https://api.github.com}
export TASK_LEDGER=$out.done.jsonl

# --url: {owner} is a column, escaped as a part of a url must be.
# --expect-json: an answer without what we came for is no success, whatever its status.
# --header: one that is a secret belongs in a file (--header @token.txt), as others can see command lines.
# --fields: the members of an answer are below result.json; the uuid lets task-save tell what it has.
task-load "$repositories" --uuid-fields owner,name |
  task-exec --http --url "$api/repos/{owner}/{name}" --expect-json 'stargazers_count != `null`' \
    --header 'Accept: application/vnd.github+json' --host-rate 10/s |
  task-save "$out" --fields uuid,owner,name,result.json.stargazers_count,result.json.open_issues_count
