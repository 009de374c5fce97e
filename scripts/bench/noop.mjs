// An executor stage whose work does nothing, by the library.
import { exec, readTasks } from '../../dist/index.js';

const reject = ({ line, message }) => process.stderr.write(`stdin:${line}: ${message}\n`);
const tasks = exec(() => undefined)(readTasks(process.stdin, { source: 'stdin', reject }));
for await (const batch of tasks) {
  let text = '';
  for (const { line } of batch) text += `${line}\n`;
  if (!process.stdout.write(text)) await new Promise((resolve) => process.stdout.once('drain', resolve));
}
