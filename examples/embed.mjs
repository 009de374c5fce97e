// Embeddings of texts, 100 in one request to an API in the form of OpenAI's, so that 10,000 texts need 100 requests.
//
//   export TASK_LEDGER=done.jsonl EMBED_URL=https://api.openai.com/v1/embeddings
//   task-load texts.csv --uuid-fields text |
//     task-exec --module examples/embed.mjs --batch 100 --batch-bytes 200KB -j 4 --rate 500/m --header @token.txt |
//     task-save embeddings.ndjson
//
// token.txt has one line, such as "Authorization: Bearer KEY". A text that the API refuses makes its whole request fail;
// task-exec halves the batch until that text is alone. After a stop or a kill, the same command continues.
const { EMBED_URL: url, EMBED_MODEL: model = 'text-embedding-3-small' } = process.env;

export default async function embed(tasks, { fetch }) {
  const answer = await fetch(url, { json: { model, input: tasks.map(({ text }) => text) }, method: 'post' });
  if (!answer.ok) {
    const retry = answer.status === 429 || answer.status >= 500;
    throw Object.assign(new Error(`${answer.status} ${await answer.text()}`), { code: 'API', retry });
  }
  const { data } = await answer.json();
  const found = new Map(data.map(({ index, embedding }) => [tasks[index].uuid, { model, embedding }]));
  return tasks.map(({ uuid }) => found.get(uuid) ?? new Error('the answer has no embedding for this text'));
}
