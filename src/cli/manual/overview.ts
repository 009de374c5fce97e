import type { Command } from '../../core/options/command.ts';
import { type Edition, exitStatus, page, seeAlso, title } from './man-page.ts';
import { bold, entry, heading, paragraphs, prose, roff, typed } from './roff.ts';

/** Returns taskpipe(7): what all commands have in common. */
export function overviewPage(commands: readonly Command[], edition: Edition): string {
  return page([
    title('taskpipe', 7, edition),
    heading('SH', 'NAME'),
    `taskpipe \\- ${roff('run large task lists reliably, with Unix pipes')}`,
    heading('SH', 'SYNOPSIS'),
    `${bold('task-load')} a.csv | ${bold('task-exec')} ${roff('--http')} | ${bold('task-save')} out.csv`,
    heading('SH', 'DESCRIPTION'),
    paragraphs(DESCRIPTION),
    ...commands.map(({ name, summary }) => entry(`${name}(1)`, summary)),
    heading('SH', 'THE RECORD'),
    paragraphs('A task is one JSON object per line, in UTF-8:'),
    typed('{"uuid":"4b17","url":"http://h/1","result":{"status":200},"run":{"state":"SUCCESS"}}'),
    ...Object.entries(KEYS).map(([key, words]) => entry(key, words)),
    heading('SH', 'PROMISES'),
    paragraphs(PROMISES),
    ...exitStatus(),
    heading('SH', 'EXAMPLES'),
    ...EXAMPLES.map(([line, words]) => `.PP\n${prose(words)}\n${typed(line)}`),
    seeAlso(commands.map(({ name }) => name)),
  ]);
}

const DESCRIPTION = `A loader creates tasks, an executor runs them, and a saver stores the results. Each is a process, joined to the next by a pipe. Records travel as NDJSON, so jq, grep, head, split or your own program can stand between two stages.

With a ledger (TASK_LEDGER, or --ledger of task-load and task-save), a pipeline can be stopped, killed or crashed and run again: finished tasks do not run twice, unfinished ones run.`;

const KEYS: Readonly<Record<string, string>> = {
  uuid: 'Identifies the task: any string of 1 to 256 bytes without control characters.',
  result: 'Result of the work. --as NAME stores it under another key.',
  run: 'Outcome of the work: state (SUCCESS, FAILURE, PENDING, REVERTED or REVERT_FAILURE), as, attempts, at, ms, and error with code and message.',
  'everything else': 'Belongs to you, and passes every stage byte for byte.',
};

const PROMISES = `Work runs at least once. Each uuid gives exactly one row of an output. A uuid is in the ledger only if its row is in the output.

Every record that is not saved is in the rest file of task-save, with the reason, and can be loaded again.`;

const EXAMPLES = [
  [
    'export TASK_LEDGER=done.jsonl\ntask-load a.csv | task-exec --http | task-save out.csv',
    'Fetch the url of each row; run it again to continue:',
  ],
  ['task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv', 'Retry what failed:'],
  ['jq -r .run.error.code out.csv.rest.ndjson | sort | uniq -c', 'Count failures by reason:'],
] as const;
