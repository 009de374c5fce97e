import { count, path } from '../../core/options/declare.ts';

/** Help of `--module`, after its options. */
export const moduleHelp: string = [
  'FILE exports a function that is called for each task: export default async (task, ctx) => result',
  '  task\tthe attributes of the record',
  '  ctx\tsignal, attempt, logger, fetch(url), add(task), done(uuid), stop()',
  '  handler\tattribute of the record that names another exported function to call',
  'What the function returns is the result, as JSON. What it throws makes the task fail; an error with retry: true is tried again.',
].join('\n');

/** Options of `--module` alone. */
export const moduleOptions = {
  threads: count('run the module on N worker threads; default: on the main thread', {
    details:
      'For functions that compute. On a thread, a function that never returns is ended at --timeout; on the main thread it would stop the stage. Each thread loads the module for itself.',
  }),
  logDir: path('write the log of each task to DIR/UUID.log', { placeholder: 'DIR' }),
  spool: path('keep tasks that work adds in this file, and run those that an earlier run left in it', {
    details:
      'For --module, and for the pages of --http --next. Without it, added tasks that are not finished are lost if the stage is killed.',
  }),
  ledger: path('skip added tasks, and tasks of the spool, that are finished according to this ledger'),
};
