// A function for the benchmarks of `--batch`: once per task, it waits for one turn of the event loop, the least
// that I/O takes.
import { setImmediate } from 'node:timers/promises';

export default async () => {
  await setImmediate();
};
