// A worker: half of the id.
import { createInterface } from 'node:readline';

for await (const line of createInterface({ input: process.stdin })) {
  const { uuid, id } = JSON.parse(line);
  process.stdout.write(`${JSON.stringify({ uuid, result: { half: id / 2 } })}\n`);
}
