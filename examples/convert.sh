#!/usr/bin/env bash
# Converts the text files of a folder and its subfolders from Latin-1 to UTF-8, each once. After a stop or a kill, the
# same command continues.
#
#     examples/convert.sh FOLDER OUT
#
# A file is named by its uuid, because two folders may have files of the same name; OUT/files.csv maps uuids to files.
set -euo pipefail

from=$(cd "${1:?the folder to convert}" && pwd) # absolute, because commands run in OUT, and so that a file has the same uuid from anywhere
mkdir -p "${2:?the folder for the results}"
export TASK_LEDGER=$2/done.jsonl

# No shell sees the command: blanks and quotes in a name do no harm. A name with a newline would become two tasks.
# A killed command leaves half a file, which is not in the ledger, so it is written again.
find "$from" -name '*.txt' -type f |
  task-load --format lines --field file --uuid-fields file |
  task-exec -j "$(getconf _NPROCESSORS_ONLN)" --cwd "$2" --command 'iconv -f latin1 -t utf-8 -o {uuid}.txt {file}' |
  task-save "$2/files.csv" --fields uuid,file,result.exit
