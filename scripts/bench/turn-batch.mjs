// A function for the benchmarks of `--batch`: once per batch, it waits for one turn of the event loop, the
// least that I/O takes.
import { setImmediate } from 'node:timers/promises';

export default async (tasks) => {
  await setImmediate();
  return new Array(tasks.length).fill();
};
