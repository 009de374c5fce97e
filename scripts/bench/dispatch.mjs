// A bare loop over undici's dispatch: GETs the url of each line of NDJSON, 50 at once, and counts the bytes.
import { createInterface } from 'node:readline';
import { Agent } from 'undici';

const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 });
const urls = [];
for await (const line of createInterface({ input: process.stdin })) urls.push(new URL(JSON.parse(line).url));
let bytes = 0;

function get({ origin, pathname }) {
  return new Promise((resolve, reject) => {
    agent.dispatch(
      { origin, path: pathname, method: 'GET' },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData(_, chunk) {
          bytes += chunk.length;
        },
        onResponseEnd: resolve,
        onResponseError: (_, error) => reject(error),
      },
    );
  });
}

let next = 0;
async function worker() {
  while (next < urls.length) await get(urls[next++]);
}
await Promise.all(Array.from({ length: 50 }, worker));
await agent.close();
process.stderr.write(`${urls.length} answers, ${bytes} bytes\n`);
