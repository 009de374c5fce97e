#!/usr/bin/env bash
# Converts the text files of a folder, and of those in it, from Latin-1 to UTF-8, each once. Stopped or killed, the same
# command goes on where it was.
#
#     examples/convert.sh FOLDER OUT
#
# A file is named by its uuid, as two folders may have files of one name; OUT/files.csv says which is which.
set -euo pipefail

from=$(cd "${1:?the folder to convert}" && pwd) # absolute, as commands run in OUT, and a task is the same from anywhere
mkdir -p "${2:?the folder for the results}"
export TASK_LEDGER=$2/done.jsonl

# No shell sees the command: blanks and quotes in a name do no harm. A newline in a name would make two tasks of it.
# A command that is killed leaves half a file: it is not in the ledger, so it is written again.
find "$from" -name '*.txt' -type f |
  task-load --format lines --field file --uuid-fields file |
  task-exec -j "$(getconf _NPROCESSORS_ONLN)" --cwd "$2" --command 'iconv -f latin1 -t utf-8 -o {uuid}.txt {file}' |
  task-save "$2/files.csv" --fields uuid,file,result.exit
