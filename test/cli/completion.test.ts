/* Completion in the real shells offers exactly what the option declarations contain. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { SHELLS } from '../../src/cli/args/parse-args.ts';
import { type CompletedCommand, completedCommands } from '../../src/cli/completion/completion-table.ts';
import { freshFolder, has, sh } from '../support/run.ts';
import { NEEDS, offered } from './shells.ts';

/** Contents of the folder where TAB is pressed. */
const FILES = ['a b.csv', 'a.csv', 'a-folder'];

interface Expected {
  readonly line: string;
  readonly words: readonly string[];
}

/** Returns the expected words of a command: its options, the values of each, and its operands. */
function expectedOf({ name, options, kinds, verbs, takesFiles }: CompletedCommand): Expected[] {
  const long = options.flatMap(({ names }) => names.filter((one) => one.startsWith('--')));
  const [verb] = Object.keys(verbs);
  const values = options.flatMap(({ names: [first = ''], placeholder, candidates }): Expected[] => {
    if (placeholder === undefined) return [];
    const paths = candidates === 'folder' ? ['a-folder'] : FILES;
    const words = typeof candidates === 'string' ? paths : (candidates ?? []);
    const line = `${name} ${first} ${typeof candidates === 'string' ? 'a' : ''}`;
    const [[start = '', second] = ''] = words;
    if (typeof candidates !== 'object' || second === undefined) return [{ line, words }];
    const joined = {
      line: `${name} ${first}=${start}`,
      words: words.filter((word) => word.startsWith(start)),
    };
    return [{ line, words }, joined];
  });
  return [
    { line: `${name} --`, words: long },
    ...values,
    ...(verb === undefined ? [] : [{ line: `${name} `, words: Object.keys(verbs) }]),
    ...(verb === undefined
      ? []
      : [
          {
            line: `${name} --quiet ${verb.slice(0, 2)}`,
            words: Object.keys(verbs).filter((other) => other.startsWith(verb.slice(0, 2))),
          },
        ]),
    ...(takesFiles ? [{ line: `${name} ${verb === undefined ? '' : `${verb} `}a`, words: FILES }] : []),
    ...kinds.map((kind) => {
      const typed = kind.slice(0, -1);
      return { line: `${name} ${typed}`, words: long.filter((one) => one.startsWith(typed)) };
    }),
  ];
}

async function folderFor(shell: string): Promise<string> {
  const cwd = freshFolder();
  for (const name of FILES.filter((file) => file.endsWith('.csv'))) writeFileSync(join(cwd, name), '');
  mkdirSync(join(cwd, 'a-folder'));
  const { stdout, stderr, code } = await sh(`task-load --completion ${shell}`);
  expect([stderr, code]).toEqual(['', 0]);
  writeFileSync(join(cwd, 'script'), stdout);
  return cwd;
}

/** Removes the slash of a folder and the option before a value, which shells may or may not show. */
const plain = (words: readonly string[]): string[] =>
  words.map((word) => word.replace(/\/$|^--[\w-]+=/g, '')).sort();

describe.each(SHELLS)('completion in %s', (shell) => {
  test('offers each option, value, verb and file at its position', async (context) => {
    for (const program of NEEDS[shell])
      if (!(await has(program))) context.skip(`${program} is not installed`);
    const cwd = await folderFor(shell);
    const expected = (await completedCommands()).flatMap(expectedOf);
    const seen = await offered(
      shell,
      expected.map(({ line }) => line),
      cwd,
    );
    const wanted = expected.map(({ line, words }) => ({ line, words: plain(words) }));
    expect(expected.map(({ line }, i) => ({ line, words: plain(seen[i] ?? []) }))).toEqual(wanted);
  });

  test('prints the same script for every command', async () => {
    const scripts = await Promise.all(
      (await completedCommands()).map(({ name }) => sh(`${name} --completion ${shell}`)),
    );
    for (const { stdout, stderr, code } of scripts) {
      expect([stderr, code]).toEqual(['', 0]);
      expect(stdout).toBe(scripts[0]?.stdout);
    }
  });
});

test('bash completion lists options with their descriptions', async () => {
  const ask = `. <(task-load --completion bash); compopt() { :; }; COMP_TYPE=63 COLUMNS=60
COMP_WORDS=(task-load --uu) COMP_CWORD=1; _taskpipe task-load --uu task-load; printf '%s\\n' "\${COMPREPLY[@]}"`;
  expect((await sh(ask)).stdout).toMatch(
    /^--uuid-fields {2,}\(make the uuid from these attributes[^\n]*\n--uuid /,
  );
});

test('bash completion starts no process', async () => {
  const cwd = await folderFor('bash');
  const ask = `. ./script; compopt() { :; }; PATH=
COMP_WORDS=(task-load --format '') COMP_CWORD=2; _taskpipe task-load '' --format; echo "\${COMPREPLY[@]}"`;
  expect(await sh(ask, { cwd })).toMatchObject({
    stdout: 'csv tsv ndjson json lines sitemap sqlite xlsx parquet postgres\n',
    stderr: '',
  });
});
