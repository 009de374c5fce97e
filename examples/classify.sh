#!/usr/bin/env bash
# Has a chat model say for each row of a CSV whether its text is good or bad, 20 rows in a request, within limits of tokens
# and money.
#
#     examples/classify.sh ROWS [OUT]
#
# ROWS has a column "text". The variable API is the address of a service like that of OpenAI, MODEL its model, HEADERS a
# file with the line "Authorization: Bearer …", TOKENS a limit such as 200000/m, and USD what may be spent in all. After a
# kill, or with a larger USD, the same command continues. To begin anew, delete OUT, OUT.done.jsonl and OUT.spent.
set -euo pipefail

rows=$1
out=${2:-classified.csv}
price='`0.0000006`' # of a token
estimate='length(text) / `3` + `30`'
export TASK_LEDGER=$out.done.jsonl

# --batch: classify.mjs gets 20 rows at once. It checks the answer; if that is not what was asked for, the batch is halved,
# and each further call is charged to the quota and the budget too.
# --cost: the first of two is the estimate, the one that names the result the true figure.
task-load "$rows" --uuid-fields text |
  task-exec --module "$(dirname "$0")/classify.mjs" --batch 20 -j 5 ${HEADERS:+--header "@$HEADERS"} \
    --rate 500/s --quota "tokens=${TOKENS:-200000/m}" \
    --cost "tokens=$estimate" --cost 'tokens=result.tokens' \
    --cost "usd=($estimate) * $price" --cost "usd=result.tokens * $price" \
    --budget "usd=${USD:-1}" --budget-file "$out.spent" |
  task-save "$out" --fields 'uuid,text,result.word'
