/* Help texts, man pages, completion and docs/options.md agree and are complete. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { helpFor } from '../../src/cli/args/help.ts';
import { COMMON, SHELLS } from '../../src/cli/args/parse-args.ts';
import { completionFor } from '../../src/cli/completion/index.ts';
import { EXITS } from '../../src/cli/exits.ts';
import { type ManPage, manPages, optionsTable } from '../../src/cli/manual/index.ts';
import { typed } from '../../src/cli/manual/roff.ts';
import { commands } from '../../src/commands/index.ts';
import { kebab } from '../../src/core/options/option.ts';
import { pages as allPages } from '../support/pages.ts';
import { freshFolder, has, root, sh } from '../support/run.ts';

const all = await Promise.all(Object.values(commands).map((get) => get()));
let pages: readonly ManPage[] = [];
beforeAll(async () => {
  pages = await manPages({ version: '1.2.3', date: '2026-01-31' });
});
const pageOf = (name: string): string => pages.find(({ path }) => path.includes(`/${name}.`))?.text ?? '';
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
/** Returns a text without the markup of roff. */
const plain = (text: string): string =>
  text.replace(/\\f[BIR]|\\\((?:aq|ga|ha|ti)|\\e|\\\[u[0-9A-F]+\]/g, '').replaceAll('\\-', '-');
/** Returns words without quotes, line ends and capitals, which differ between places. */
const letters = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]/g, '');

describe.each(all)('every option of $name', ({ name, options, verbs = {} }) => {
  const entries = Object.entries({ ...options, ...COMMON });

  test('has a description in help, man page and options.md', async () => {
    const command = all.find((one) => one.name === name) as (typeof all)[number];
    const texts: [string, string][] = [
      ['help', await helpFor(command, 100)],
      ['man page', plain(pageOf(name))],
      ['options.md', await optionsTable()],
    ];
    const missing: string[] = [];
    for (const [key, { description, alias = [] }] of entries) {
      expect(description, key).toMatch(/^\S.{9,}[^.]$/);
      for (const [place, text] of texts) {
        const names = [kebab(key), ...alias].map((one) => (one.length === 1 ? `-${one}` : `--${one}`));
        for (const one of names)
          if (!new RegExp(`(?<![\\w-])${one}(?![\\w-])`).test(text)) missing.push(`${one} in ${place}`);
        if (!letters(text).includes(letters(description)))
          missing.push(`description of --${kebab(key)} in ${place}`);
      }
    }
    for (const [verb, words] of Object.entries(verbs))
      for (const [place, text] of texts.slice(0, 2))
        if (!letters(text).includes(letters(verb + words))) missing.push(`${verb} in ${place}`);
    expect(missing).toEqual([]);
  });

  test.each(SHELLS)('is completed in %s', async (shell) => {
    const script = await completionFor(shell);
    const dashes = shell === 'fish' ? '-l ' : '--';
    for (const [key] of entries) expect(script).toMatch(new RegExp(`${dashes}${kebab(key)}(?![\\w-])`));
  });
});

test('the help of every command has at least five examples, the exit codes and further reading', async () => {
  for (const command of all) {
    expect(command.examples.length).toBeGreaterThanOrEqual(5);
    const help = await helpFor(command, 200);
    for (const [line, words] of command.examples) expect(help).toContain(`  ${line}\n      ${words}\n`);
    for (const [codes, words] of EXITS) expect(help).toContain(`  ${codes.join(', ').padEnd(9)} ${words}\n`);
    expect(help).toMatch(new RegExp(`More: man ${command.name}, man taskpipe\\.\\n$`));
  }
});

describe('the help of one kind of work', () => {
  const command = all.find(({ name }) => name === 'task-exec') as (typeof all)[number];
  const { kinds = [], kindsOf = {}, kindHelp = {}, options } = command;
  const names = (text: string): string[] =>
    [...text.matchAll(/^ {2,6}(?:-\w, )?--([a-z0-9-]+)/gm)].map(([, one]) => one as string);

  test.each(kinds)('lists exactly the options of %s', async (kind) => {
    const used = Object.keys({ ...options, ...COMMON }).filter(
      (key) => !kinds.includes(key) && (kindsOf[key]?.includes(kind) ?? true),
    );
    const help = await helpFor(command, 100, [kind]);
    expect(names(help.replace(/^Examples:.*/ms, '')).sort()).toEqual(used.map(kebab).sort());
    for (const line of (kindHelp[kind] ?? '').split(/[\n\t]/)) expect(letters(help)).toContain(letters(line));
    const [, shown = ''] = /^Examples:\n(.*?)\n\n/ms.exec(help) ?? [];
    expect(shown.match(/^ {2}\S.*/gm)?.every((line) => line.includes(`--${kind}`))).toBe(true);
    expect(plain(pageOf('task-exec'))).toContain(`.SS --${kind}\n`);
  });

  test('is shown for --help in any position, also if a value is missing', async () => {
    const wanted = await helpFor(command, 100, ['command']);
    for (const line of [
      '--command --help',
      '--help --command',
      '-h --command',
      'command --help',
      "--command 'x {a}' -j 3 -h",
    ])
      expect(await sh(`task-exec ${line}`), line).toMatchObject({ stdout: wanted, stderr: '', code: 0 });
    const all = await helpFor(command, 100);
    for (const line of ['--help', '--help --http --command', '--no-such-option --help'])
      expect(await sh(`task-exec ${line}`), line).toMatchObject({ stdout: all, stderr: '', code: 0 });
  });
});

test('the details of an option are full sentences and appear in its man page', () => {
  for (const { name, options } of all) {
    for (const [key, { details }] of Object.entries(options)) {
      if (details === undefined) continue;
      expect(details, key).toMatch(/^[A-Z\d"a-z].*\.$/s);
      expect(letters(plain(pageOf(name))), key).toContain(letters(details));
    }
  }
});

const SECTIONS = [
  'NAME',
  'SYNOPSIS',
  'DESCRIPTION',
  'OPTIONS',
  'ENVIRONMENT',
  'EXIT STATUS',
  'EXAMPLES',
  'FILES',
];

test('man pages have the usual sections in their order', () => {
  for (const { name } of all) {
    const sections = [...pageOf(name).matchAll(/^\.SH (.*)/gm)].map(([, section]) => section);
    expect(sections).toEqual([...SECTIONS, 'SEE ALSO']);
  }
});

test.for([
  ['mandoc', 'mandoc -Tlint -W warning ./page'],
  ['groff', 'groff -man -Tutf8 -ww -z ./page'],
] as const)('%s reports nothing in the man pages', async ([program, check], context) => {
  if (!(await has(program))) context.skip(`${program} is not installed`);
  for (const { path, text } of pages) {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'page'), text);
    const { stdout, stderr, code } = await sh(check, { cwd });
    expect([path, stdout, stderr, code]).toEqual([path, '', '', 0]);
  }
});

/** Returns the lines of a page as a reader sees them, without the markup for bold letters. */
async function shown(page: string): Promise<string[]> {
  const { stdout } = await sh('mandoc -Tutf8 -O width=200', { input: page, env: { LC_ALL: 'C.UTF-8' } });
  return stdout
    .replace(/.\x08/gu, '')
    .split('\n')
    .map((line) => line.trim());
}

test('characters that roff interprets appear unchanged in a man page', async (context) => {
  if (!(await has('mandoc'))) context.skip('mandoc is not installed');
  const lines = [
    '.TH is not a title',
    "'tis so",
    'C:\\new\\(aq \\fBbold',
    '--a-b -c `d` ^e ~f "g"',
    'é … 🙂',
    '. ',
    '\\',
  ];
  const page = `.TH T 1 2026-01-31\n.SH NAME\nt \\- t\n${lines.map(typed).join('\n')}\n`;
  const seen = await shown(page);
  expect(seen.filter((line) => lines.map((one) => one.trim()).includes(line))).toEqual(
    lines.map((one) => one.trim()),
  );
});

test('examples appear in a man page as they are typed', async (context) => {
  if (!(await has('mandoc'))) context.skip('mandoc is not installed');
  for (const { name, examples } of all) {
    const lines = await shown(pageOf(name));
    for (const [line] of examples) expect(lines).toContain(line);
  }
});

test('package.json lists the built man pages, and man finds them for a bin on the PATH', async (context) => {
  const { man, files } = JSON.parse(read('package.json'));
  expect(man.toSorted()).toEqual(pages.map(({ path }) => `man/${path}`).toSorted());
  expect(files).toContain('man');
  for (const path of man) expect(existsSync(join(root, path)), path).toBe(true);
  if (!(await has('manpath'))) context.skip('man-db is not installed');
  for (const { name } of all) {
    const { stdout } = await sh(`man -w ${name}`);
    expect(stdout).toBe(`${join(root, 'man/man1', name)}.1\n`);
  }
});

test('docs/options.md matches the declarations (npm run cases writes it)', async () => {
  const table = await optionsTable();
  if (process.env.RENEW_CASES) writeFileSync(join(root, 'docs/options.md'), table);
  expect(read('docs/options.md')).toBe(table);
});

test('the tables of exit codes list every exit code', () => {
  const codes = EXITS.map(([codes]) => codes.join(', '));
  for (const file of ['README.md', 'docs/running.md', 'docs/troubleshooting.md']) {
    const [, table = ''] = /^## (?:Exit codes|By exit code)\n\n(.*?)\n\n/ms.exec(read(file)) ?? [];
    const rows = [...table.matchAll(/^\| (\d+(?:, \d+)*) \|/gm)].map(([, code]) => code);
    expect([file, rows]).toEqual([file, codes]);
  }
});

test('every link of a page resolves, and the README leads to every page', () => {
  const reached = new Set(['README.md']);
  const wrong: string[] = [];
  for (const page of reached) {
    for (const [, to = ''] of read(page).matchAll(/\]\(([^)]+)\)/g)) {
      if (/^https?:/.test(to)) continue;
      const [path = '', anchor] = to.split('#');
      const file = path === '' ? page : join(page, '..', path);
      if (!existsSync(join(root, file))) wrong.push(`${page}: ${to}`);
      else if (file.endsWith('.md')) reached.add(file); // visited too: a Set includes items added during iteration
      if (anchor !== undefined && !anchorsOf(read(file)).includes(anchor)) wrong.push(`${page}: ${to}`);
    }
  }
  expect(wrong).toEqual([]);
  expect(allPages().filter((page) => !reached.has(page))).toEqual([]);
});

/** Returns the anchors of a page: its headings, as GitHub names them. */
function anchorsOf(markdown: string): string[] {
  const prose = markdown.replace(/^```.*?^```/gms, '');
  return [...prose.matchAll(/^#+ (.*)/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}
