// Runs saves with the library: it reads a scenario per line and writes its result as a line. It is a separate process
// because each start locks its files by a child process, which is cheaper to start from a small process.
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const { save, Task } = await import(process.argv[2]);

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await start(JSON.parse(line)))}\n`);
}

async function start({ folder, scenario }) {
  const { out, ledger, records, widen } = scenario;
  const said = [];
  const tasks = records.map((record) => new Task(JSON.parse(record).uuid, record));
  async function* all() {
    yield tasks;
  }
  try {
    const { failed, misfits, saved, present, read } = await save(all(), join(folder, out), {
      flush: 2,
      widen,
      ledger: ledger && join(folder, ledger),
      warn: (message) => said.push(message),
    });
    const isCounted = read === records.length && saved + present + failed === read;
    return { code: isCounted ? Number(failed + misfits > 0) : -1, words: said.join('\n') };
  } catch (error) {
    return { code: -1, words: String(error) };
  }
}
