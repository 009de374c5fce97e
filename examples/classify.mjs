// Asks a chat model about many rows in one request: see classify.sh, which calls it with 20 rows a batch.
//
// The answer must be a JSON array with one word for each row. An answer that is something else fails as a whole, and
// task-exec halves the batch until the row at fault is alone. A wrong word fails its row alone.
const { API = 'https://api.openai.com', MODEL: model = 'gpt-4o-mini' } = process.env;
const WORDS = ['good', 'bad'];
const PROMPT =
  'For each text of the JSON array say if it is good or bad. Answer with a JSON array of these words only.';

export default async function classify(tasks, { fetch }) {
  const texts = JSON.stringify(tasks.map(({ text }) => text));
  const messages = [
    { role: 'system', content: PROMPT },
    { role: 'user', content: texts },
  ];
  const json = { model, max_tokens: 10 * tasks.length, messages };
  const answer = await fetch(`${API}/v1/chat/completions`, { method: 'post', json });
  if (!answer.ok) {
    const retry = answer.status === 429 || answer.status >= 500;
    throw Object.assign(new Error(`${answer.status} ${await answer.text()}`), { code: 'API', retry });
  }
  const { choices, usage } = await answer.json();
  const words = wordsOf(choices[0].message.content, tasks.length);
  const tokens = usage.total_tokens / tasks.length; // each row pays its share
  return words.map((word) => (WORDS.includes(word) ? { word, tokens } : notOneOf(word)));
}

function wordsOf(content, count) {
  let words;
  try {
    words = JSON.parse(content);
  } catch {
    // said below
  }
  if (Array.isArray(words) && words.length === count) return words;
  throw Object.assign(new Error(`not a JSON array of ${count} words: ${content.slice(0, 80)}`), {
    code: 'ANSWER',
  });
}

function notOneOf(word) {
  return Object.assign(new Error(`neither good nor bad: ${JSON.stringify(word)}`), { code: 'ANSWER' });
}
