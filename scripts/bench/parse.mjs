// Reads a ledger in the plain way: JSON.parse of each line, into a Set.
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';

const finished = new Set();
for await (const line of createInterface({
  input: createReadStream(process.argv[2], { highWaterMark: 1 << 20 }),
})) {
  if (line !== '') finished.add(JSON.parse(line).uuid);
}
process.stderr.write(`${finished.size} finished\n`);
