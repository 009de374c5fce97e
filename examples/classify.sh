#!/usr/bin/env bash
# Has a chat model say for each row of a CSV whether its text is good or bad, within limits of tokens and money.
#
#     examples/classify.sh ROWS [OUT]
#
# ROWS has a column "text". The variable API is the address of a service like that of OpenAI, MODEL its model, HEADERS a
# file with the line "Authorization: Bearer …", TOKENS a limit such as 200000/m, and USD what may be spent in all. After a
# kill, or with a larger USD, the same command continues. To begin anew, delete OUT, OUT.done.jsonl and OUT.spent.
set -euo pipefail

rows=$1
out=${2:-classified.csv}
api=${API:-https://api.openai.com}
price='`0.0000006`' # of a token
export TASK_LEDGER=$out.done.jsonl

# --cost: the first of two is the estimate, the one that names the result the true figure.
# --expect-json: an answer that is neither word is a failure; it has cost its tokens.
# --idempotency-header: a POST is sent again only if that is safe, as with this header.
task-load "$rows" --uuid-fields text |
  task-exec --http --url "$api/v1/chat/completions" ${HEADERS:+--header "@$HEADERS"} -j 20 --idempotency-header \
    --data '{"model": "'"${MODEL:-gpt-4o-mini}"'", "max_tokens": 5, "messages": [
      {"role": "system", "content": "Answer with one word, good or bad."}, {"role": "user", "content": "{text}"}]}' \
    --expect-json 'contains(`["good", "bad"]`, choices[0].message.content)' \
    --quota "tokens=${TOKENS:-200000/m}" --quota requests=500/s \
    --cost 'tokens=length(text) / `3` + `30`' --cost 'tokens=result.json.usage.total_tokens' \
    --cost "usd=(length(text) / \`3\` + \`30\`) * $price" --cost "usd=result.json.usage.total_tokens * $price" \
    --budget "usd=${USD:-1}" --budget-file "$out.spent" |
  task-save "$out" --fields 'uuid,text,result.json.choices.0.message.content'
