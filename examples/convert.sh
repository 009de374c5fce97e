#!/bin/sh
# Converts text files from Latin-1 to UTF-8, two at once, each once: what is in OUT/done.jsonl is not done again.
#
#     examples/convert.sh FOLDER OUT
set -e
from=$(cd "$1" && pwd)
mkdir -p "$2"

find "$from" -name '*.txt' |
  task-load --format lines --field file --uuid-fields file --ledger "$2/done.jsonl" |
  task-exec -j 2 --cwd "$2" --command 'iconv -f latin1 -t utf-8 -o {uuid}.txt {file}' |
  task-save "$2/files.csv" --fields uuid,file,result.exit --ledger "$2/done.jsonl"
