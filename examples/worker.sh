#!/bin/sh
# A worker in jq: the attributes that it adds are the result.
#
#     task-load a.csv | task-exec --worker examples/worker.sh -j 2 | task-save out.csv
exec jq -c --unbuffered '{uuid, host: (.url / "/")[2], length: (.url | length)}'
