/*
 * User code in the process of the stage: its output, reads, open resources and endless loops do not harm the records.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { type Ended, ended, freshFolder, sh, start } from '../../support/run.ts';

const FLOW = (code: string): string => `
  import { linear } from 'taskpipe/flow';
  ${code}
  export default linear('f').add({ name: 'work', provides: 'done', execute: async () => { work(); return 1; } });`;

/** Forms of user code that runs in the process of the stage: `work` is called for each task. */
const KINDS = {
  '--module': {
    option: '--module work.mjs',
    wrap: (code: string) => `${code}\nexport default async () => { work(); return 1; };`,
  },
  '--threads': {
    option: '--module work.mjs --threads 2',
    wrap: (code: string) => `${code}\nexport default async () => { work(); return 1; };`,
  },
  '--flow': { option: '--flow work.mjs', wrap: FLOW },
} as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];

const TASKS = Array.from({ length: 30 }, (_, n) => `{"uuid":"u${n}","n":${n}}\n`).join('');

function folderWith(kind: Kind, code: string): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), KINDS[kind].wrap(code));
  return cwd;
}

async function run(kind: Kind, code: string, before = ''): Promise<Ended> {
  return sh(`${before}task-exec ${KINDS[kind].option}`, { cwd: folderWith(kind, code), input: TASKS });
}

function expectAll({ stdout, code, stderr }: Ended): void {
  const uuids = parsed(stdout).map(({ uuid }) => uuid);
  expect(new Set(uuids).size, stderr).toBe(30);
  expect({ rows: uuids.length, code }).toEqual({ rows: 30, code: 0 });
}

describe.each(kinds)('user code of %s', (kind) => {
  test.each([
    ['console.log', 'const work = () => console.log("hello");', '[stdout] hello'],
    ['process.stdout.write', 'const work = () => process.stdout.write("hello\\n");', '[stdout] hello'],
    [
      'a named import of stdout',
      'import { stdout } from "node:process"; const work = () => stdout.write("hello\\n");',
      '[stdout] hello',
    ],
    [
      'writeSync to descriptor 1',
      'import { writeSync } from "node:fs"; const work = () => writeSync(1, "hello\\n");',
      'hello',
    ],
    [
      'a child that inherits stdout',
      'import { execFileSync } from "node:child_process"; const work = () => execFileSync("echo", ["hello"], { stdio: "inherit" });',
      'hello',
    ],
  ])('that prints by %s writes to stderr, not among the records', async (_, code, expected) => {
    const ended = await run(kind, code);
    expectAll(ended);
    expect(ended.stderr).toContain(expected);
  });

  test.each([
    [
      'readline',
      'import readline from "node:readline"; readline.createInterface({ input: process.stdin }); const work = () => {};',
    ],
    [
      'readSync of descriptor 0',
      'import { readSync } from "node:fs"; const work = () => void readSync(0, Buffer.alloc(9));',
    ],
    [
      'a child that inherits stdin',
      'import { execFileSync } from "node:child_process"; const work = () => execFileSync("cat", { stdio: ["inherit", "ignore", "ignore"] });',
    ],
  ])('that reads stdin by %s finds it empty, and takes no task', async (_, code) => {
    expectAll(await run(kind, code));
  });

  test('works if stdin or stdout of the stage is a file', async () => {
    const cwd = folderWith(kind, 'const work = () => console.log("hello");');
    writeFileSync(join(cwd, 'in'), TASKS);
    const { stderr, code } = await sh(
      `echo before > out; task-exec ${KINDS[kind].option} < in >> out; echo after >> out`,
      { cwd },
    );
    expect({ code }, stderr).toEqual({ code: 0 });
    const { stdout } = await sh('head -1 out; tail -1 out; grep -c SUCCESS out; wc -l < out', { cwd });
    expect(stdout.trim().split(/\s+/)).toEqual(['before', 'after', '30', '32']);
  });

  test('that leaves a timer and a server open does not keep the stage alive, and a message says so', async () => {
    const code =
      'import { createServer } from "node:net"; setInterval(() => {}, 1000); createServer().listen(0); const work = () => {};';
    const ended = await run(kind, code);
    expectAll(ended);
    if (kind !== '--threads') expect(ended.stderr).toMatch(/left open: 1 (timer, 1 server|server, 1 timer);/);
  });
});

describe.each(kinds)('a stage with %s', (kind) => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'whose module waits at its top ends at the first %s',
    async (signal) => {
      const cwd = folderWith(
        kind,
        'console.log("here"); setInterval(() => {}, 1000); await new Promise(() => {}); const work = () => {};',
      );
      const child = start(`exec task-exec ${KINDS[kind].option}`, { cwd });
      const end = ended(child);
      await printed(child);
      const began = performance.now();
      child.kill(signal);
      expect((await end).signal).toBe(signal);
      expect(performance.now() - began).toBeLessThan(2000);
    },
  );

  test('in an endless loop ends by a second signal', async () => {
    const cwd = folderWith(kind, 'const work = () => { for (;;); };');
    const child = start(`exec task-exec --grace 1h ${KINDS[kind].option}`, { cwd });
    child.stdin?.end(TASKS);
    const end = ended(child);
    const signals = setInterval(() => child.kill('SIGTERM'), 1200); // the first may come before it has started
    const { code, signal } = await end;
    clearInterval(signals);
    expect([143, 'SIGTERM', 'SIGKILL']).toContain(signal ?? code);
  });
});

/** Waits until a process has written to stderr. */
function printed(child: ReturnType<typeof start>): Promise<void> {
  return new Promise((resolve) => child.stderr?.once('data', () => resolve()));
}

test('a command that waits for the reader of a FIFO ends at the first or second signal', async () => {
  for (const command of ['task-exec --command true --events fifo', 'task-load in --ledger fifo']) {
    const cwd = freshFolder();
    await sh('mkfifo fifo; echo \'{"uuid":"a"}\' > in', { cwd });
    const child = start(`exec ${command}`, { cwd });
    const end = ended(child);
    const timer = setInterval(() => child.kill('SIGTERM'), 700);
    const { code, signal } = await end;
    clearInterval(timer);
    expect(signal ?? code).toBe('SIGTERM');
  }
});
