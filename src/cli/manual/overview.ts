import type { Command } from '../../core/options/command.ts';
import { type Edition, exitStatus, page, seeAlso, title } from './man-page.ts';
import { bold, entry, heading, paragraphs, prose, roff, typed } from './roff.ts';

/** taskpipe(7): what all commands have in common. */
export function overviewPage(commands: readonly Command[], edition: Edition): string {
  return page([
    title('taskpipe', 7, edition),
    heading('SH', 'NAME'),
    `taskpipe \\- ${roff('Unix filters that get large lists of work done, surely')}`,
    heading('SH', 'SYNOPSIS'),
    `${bold('task-load')} a.csv | ${bold('task-exec')} ${roff('--http')} | ${bold('task-save')} out.csv`,
    heading('SH', 'DESCRIPTION'),
    paragraphs(DESCRIPTION),
    ...commands.map(({ name, summary }) => entry(`${name}(1)`, summary)),
    heading('SH', 'THE RECORD'),
    paragraphs('A task is a JSON object on a line of its own, in UTF-8:'),
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

const DESCRIPTION = `A loader creates tasks, an executor does them, and a saver keeps what came of them. Each is a process of its own, joined to the next by a pipe. What is between two stages is NDJSON, so jq, grep, head, split or a program of yours can stand there too.

With a ledger (TASK_LEDGER, or --ledger of task-load and task-save), a pipeline may be stopped, killed or crashed and run again. What is done is not done twice, and what is not done is done.`;

const KEYS: Readonly<Record<string, string>> = {
  uuid: 'What identifies the task: any string of 1 to 256 bytes without control characters.',
  result: 'What the work gave. With --as NAME, it stands under another key.',
  run: 'How the work went: state (SUCCESS, FAILURE, PENDING, REVERTED or REVERT_FAILURE), as, attempts, at, ms, and error with code and message.',
  'everything else': 'Is yours, and passes every stage byte for byte.',
};

const PROMISES = `Work is done at least once. Each uuid gives exactly one row of an output. A uuid is in the ledger only if its row is in the output.

Every record that is not saved is in the rest file of task-save, with the reason, ready to be loaded again.`;

const EXAMPLES = [
  [
    'export TASK_LEDGER=done.jsonl\ntask-load a.csv | task-exec --http | task-save out.csv',
    'Fetch the url of each row; run it again to go on with it:',
  ],
  ['task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv', 'Run again what failed:'],
  ['jq -r .run.error.code out.csv.rest.ndjson | sort | uniq -c', 'Ask what failed, and why:'],
] as const;
