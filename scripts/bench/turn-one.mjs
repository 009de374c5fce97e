// A function for the benchmarks of `--batch`: it only waits for a turn of the event loop, as I/O does at least, once a task.
import { setImmediate } from 'node:timers/promises';

export default async () => {
  await setImmediate();
};
