// The library: loader, executor and saver in one process.
import { exec, load, pipeline, save } from 'taskpipe';
import { linear, run } from 'taskpipe/flow';

const summary = await pipeline({
  load: load('a.csv'),
  exec: exec(({ fields }) => fields.id * 2, { jobs: 2 }),
  save: (tasks) => save(tasks, 'library.csv', { fields: ['id', 'result'] }),
});
const { provided } = await run(linear('f').add({ name: 'a', provides: 'b', execute: () => 1 }));
process.stdout.write(`${summary.saved} saved, ${JSON.stringify(provided)}\n`);
