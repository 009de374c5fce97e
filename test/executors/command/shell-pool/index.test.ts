/* Commands run by real shells, of every kind that is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { openShellPool } from '../../../../src/executors/command/shell-pool/index.ts';
import type { JobReport, ShellJob } from '../../../../src/executors/command/shell-pool/job.ts';
import { freshFolder } from '../../../support/run.ts';
import { until } from '../../../support/until.ts';
import { isAlive, pidsIn } from '../../programs.ts';

const PATH = process.env.PATH ?? '/usr/bin:/bin';
const SHELLS = ['/bin/sh', '/bin/bash', '/bin/busybox', '/bin/mksh'].filter((shell) => existsSync(shell));

type Slots = ReturnType<typeof openShellPool>;
const opened: Slots[] = [];
afterAll(() => Promise.all(opened.map((slots) => slots.close())));

function open(
  shell: string,
  more: { env?: Record<string, string>; maxOutput?: number; cwd?: string } = {},
): Slots {
  const slots = openShellPool({ maxOutput: 1e9, shell, ...more, env: { PATH, ...more.env } });
  opened.push(slots);
  return slots;
}

const orderOf = (words: readonly string[], more: Partial<ShellJob> = {}): ShellJob => ({
  file: words[0] ?? '',
  words,
  env: {},
  input: '{}\n',
  timeout: 60_000,
  ...more,
});
const script = (text: string, more: Partial<ShellJob> = {}): ShellJob =>
  orderOf(['/bin/sh', '-c', text], more);

function textOf(output: JobReport['stdout'] | undefined): string | undefined {
  return output && 'text' in output ? output.text : undefined;
}

describe.each(SHELLS)('%s', (shell) => {
  const slots = open(shell);
  const run = (order: ShellJob) => slots.run(order);

  test('passes words, variables and input byte for byte, whatever they contain', async () => {
    const program = `process.stdin.toArray().then((parts) => process.stdout.write(JSON.stringify({
      words: process.argv.slice(1), variable: process.env.TASK_v, input: Buffer.concat(parts).toString() })))`;
    const nasty = fc.constantFrom(
      "'",
      '"',
      '\\',
      '$',
      '`',
      '\n',
      '\r',
      '\t',
      ' ',
      '-',
      '=',
      '#',
      '~',
      '*',
      '\x01',
      '\x81',
      '\x88',
      '漢',
      '👍',
      '$(id)',
      "'\\''",
    );
    const text = fc
      .array(fc.oneof(nasty, fc.string({ unit: 'binary' })), { maxLength: 8 })
      .map((parts) => parts.join('').replaceAll('\0', ''));
    const property = fc.asyncProperty(
      fc.array(text, { maxLength: 5 }),
      text,
      text,
      async (words, variable, input) => {
        const report = await run(
          orderOf([process.execPath, '-e', program, '--', ...words], {
            env: { TASK_v: variable },
            input: `${input}\n`,
          }),
        );
        const seen = { words, variable, input: `${input}\n` };
        expect(JSON.parse(textOf(report?.stdout) ?? '')).toEqual(
          JSON.parse(Buffer.from(JSON.stringify(seen)).toString()),
        );
      },
    );
    await fc.assert(property, { numRuns: 40 });
  });

  test.each([0, 1, 4095, 4096, 4097, 70_000, 16 << 20])(
    'passes an input of %i characters whole',
    async (length) => {
      const input = `${'x'.repeat(length)}\n`;
      const report = await run(orderOf(['/usr/bin/cksum'], { input }));
      expect(textOf(report?.stdout)).toBe(execFileSync('cksum', { input }).toString());
    },
  );

  test.each([100, 4096, 16 << 20])(
    'accepts a command that reads none or part of its input of %i characters',
    async (length) => {
      const input = `${'x'.repeat(length)}\n`;
      expect(await run(orderOf(['/bin/true'], { input }))).toMatchObject({ exit: 0, signal: null });
      expect(textOf((await run(script('dd bs=1 count=3 2>/dev/null', { input })))?.stdout)).toBe('xxx');
    },
  );

  test('never runs a builtin or a keyword in place of a program', async () => {
    for (const name of ['echo', 'test', 'printf', 'true', 'kill', 'pwd', '[']) {
      const file = ['/usr/bin', '/bin'].map((folder) => join(folder, name)).find(existsSync);
      const called = spawnSync(file ?? '', ['--version'], { argv0: name }).stdout.toString();
      const report = await run(orderOf([name, '--version'], { file: file ?? '' }));
      expect([name, textOf(report?.stdout)]).toEqual([name, called]);
    }
    for (const word of ['if', 'exit', 'cd', '{', '!', ':'])
      expect([word, await run(orderOf([word]))]).toEqual([
        word,
        expect.objectContaining({ fault: 'ENOENT' }),
      ]);
  });

  test('distinguishes exit codes from signals, except SIGINT and SIGPIPE', async () => {
    const ends = [
      'exit 137',
      'kill -9 $$',
      'exit 143',
      'kill $$',
      'kill -ABRT $$',
      'exit 255',
      'kill -INT $$',
      'kill -PIPE $$',
    ];
    const seen: unknown[] = [];
    for (const end of ends) {
      const { exit, signal, stderr } = (await run(script(`echo err >&2; ${end}`))) ?? {};
      seen.push([exit ?? signal, textOf(stderr)]);
    }
    expect(seen).toEqual(
      [137, 'SIGKILL', 143, 'SIGTERM', 'SIGABRT', 255, 130, 141].map((end) => [end, 'err\n']),
    );
  });

  test('reports a program that cannot start as a fault, and its own exit code 127 as an exit code', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'bad'), '#!/no/such/interpreter\n', { mode: 0o755 });
    expect(await run(orderOf(['/no/such']))).toMatchObject({ fault: 'ENOENT' });
    expect(await run(orderOf(['no-such']))).toMatchObject({ fault: 'ENOENT' });
    expect(await run(orderOf(['']))).toMatchObject({ fault: 'ENOENT' });
    expect(await run(orderOf([join(cwd, 'bad')]))).toMatchObject({ exit: null, fault: expect.anything() });
    expect(await run(orderOf(['/etc/passwd']))).toMatchObject({ fault: 'EACCES' });
    expect(await run(orderOf(['/tmp']))).toMatchObject({ fault: 'EACCES' });
    expect(await run(orderOf(['/bin/echo', 'x'.repeat(200_000)]))).toMatchObject({ fault: 'E2BIG' });
    expect(await run(orderOf(['/bin/echo', 'a\0b']))).toMatchObject({ fault: 'ERR_INVALID_ARG_VALUE' });
    expect(await run(script('echo no such >&2; exit 127'))).toMatchObject({ exit: 127, signal: null });
    expect(await run(script('no-such'))).toMatchObject({ exit: 127 });
  });

  test('starts commands with the usual signal masks, and with only three open descriptors', async () => {
    const own = spawnSync('grep', ['Sig[BI]', '/proc/self/status']).stdout.toString();
    expect(textOf((await run(orderOf(['grep', 'Sig[BI]', '/proc/self/status'])))?.stdout)).toBe(own);
    const ours = textOf((await run(script('ls /proc/$$/fd')))?.stdout)?.split('\n') ?? [];
    // Descriptors that this process inherited do not count.
    const given = readdirSync('/proc/self/fd');
    expect(ours.filter((fd) => fd !== '' && !(Number(fd) > 20 && given.includes(fd)))).toEqual([
      '0',
      '1',
      '2',
    ]);
  });

  test('adds no variable that can be avoided', async () => {
    const seen = textOf((await run(orderOf(['env'], { env: { TASK_UUID: 'a' } })))?.stdout)
      ?.trim()
      .split('\n');
    expect(seen?.filter((line) => !line.startsWith('_=')).sort()).toEqual([`PATH=${PATH}`, 'TASK_UUID=a']);
  });

  test('passes variables that shells would change or drop', async () => {
    const env = { PWD: '/else', 'a.b': '1', SHELLOPTS: 'xtrace', IFS: 'x', OPTIND: 'no number' };
    const seen = textOf((await open(shell, { env }).run(orderOf(['env'])))?.stdout);
    for (const [name, value] of Object.entries(env)) expect(seen).toContain(`${name}=${value}\n`);
  });

  test('waits for background output, but not for a background process without output', async () => {
    const late = script('{ sleep 0.3; echo late; echo late >&2; } & echo early');
    expect(await run(late)).toMatchObject({
      exit: 0,
      stdout: { text: 'early\nlate\n' },
      stderr: { text: 'late\n' },
    });
    const folder = freshFolder();
    const left = script(
      `{ while ! test -e ${folder}/go; do sleep 0.01; done; echo left > ${folder}/done; } >/dev/null 2>&1 & echo one`,
    );
    expect(await run(left)).toMatchObject({ stdout: { text: 'one\n' } });
    expect(await run(script('echo two'))).toMatchObject({ stdout: { text: 'two\n' }, stderr: { text: '' } });
    writeFileSync(join(folder, 'go'), '');
    await until(() => existsSync(join(folder, 'done')));
  });

  test('returns 100 MB, bytes that are not UTF-8, and characters that arrive in two parts', async () => {
    const long = await run(script('head -c 100000000 /dev/zero | tr "\\0" x'));
    expect(textOf(long?.stdout)?.length).toBe(100_000_000);
    expect((await run(script("printf '\\377\\000a'")))?.stdout).toEqual({ base64: '/wBh' });
    const pieces = script(
      "printf '\\346\\274'; sleep 0.1; printf '\\242'; printf '\\303' >&2; sleep 0.1; printf '\\251' >&2",
    );
    expect(await run(pieces)).toMatchObject({ stdout: { text: '漢' }, stderr: { text: 'é' } });
  });

  test('runs many commands at once, each with its own words, input and outputs', async () => {
    const ran = Array.from({ length: 200 }, async (_, n) => {
      const report = await run(script(`cat; echo ${n} >&2; exit ${n % 3}`, { input: `${n}\n` }));
      return [textOf(report?.stdout), textOf(report?.stderr), report?.exit];
    });
    expect(await Promise.all(ran)).toEqual(ran.map((_, n) => [`${n}\n`, `${n}\n`, n % 3]));
  });

  test('sends SIGTERM at the timeout, reports how the command ended, and runs the next one', async () => {
    const obeys = script(`trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.05; done`, {
      timeout: 300,
    });
    expect(await run(obeys)).toMatchObject({ exit: 3, killed: 'timeout', stdout: { text: 'up\nbye\n' } });
    expect(await run(script('sleep 300', { timeout: 50 }))).toMatchObject({
      signal: 'SIGTERM',
      killed: 'timeout',
    });
    expect(await run(script('echo on'))).toMatchObject({ exit: 0, stdout: { text: 'on\n' } });
  });

  test('kills a command that ignores SIGTERM with its children, and keeps its output', async () => {
    const folder = freshFolder();
    const order = script(
      `trap '' TERM; echo kept; echo $$ >> ${folder}/pids; (sleep 300 & echo $! >> ${folder}/pids; wait)`,
      { timeout: 300 },
    );
    const report = await run(order);
    expect(report).toMatchObject({
      exit: null,
      signal: 'SIGKILL',
      killed: 'timeout',
      stdout: { text: 'kept\n' },
    });
    await until(() => !pidsIn(join(folder, 'pids')).some(isAlive));
  });

  test('ends a command that exceeds the output limit on stdout or stderr', async () => {
    const small = open(shell, { maxOutput: 100_000 });
    expect(await small.run(orderOf(['yes']))).toMatchObject({ killed: 'output' });
    expect(await small.run(script('exec yes >&2'))).toMatchObject({ killed: 'output' });
    expect(await small.run(script('head -c 99999 /dev/zero; exit 2'))).toMatchObject({ exit: 2 });
  });

  test('kills the command of a killed shell, and runs the next one in another shell', async () => {
    const folder = freshFolder();
    expect(await run(script(`echo $$ > ${folder}/pids; kill -9 $PPID; exec sleep 300`))).toBeUndefined();
    await until(() => !pidsIn(join(folder, 'pids')).some(isAlive));
    expect(await run(script('echo on'))).toMatchObject({ exit: 0 });
  });
});

test('close() kills running commands and leaves no folder and no shell', async () => {
  const [folder, temporary] = [freshFolder(), freshFolder()];
  vi.stubEnv('TMPDIR', temporary);
  const slots = openShellPool({ maxOutput: 1000, env: { PATH } });
  const input = `${'x'.repeat(10_000)}\n`;
  const text = `echo $$ $PPID | tr ' ' '\\n' >> ${folder}/pids; exec sleep 300`;
  const runs = [1, 2].map(() => slots.run(script(text, { input })));
  vi.unstubAllEnvs();
  await until(() => pidsIn(join(folder, 'pids')).length === 4);
  expect(readdirSync(temporary)).toHaveLength(1);
  await slots.close();
  expect(await Promise.all(runs)).toEqual([undefined, undefined]);
  expect(readdirSync(temporary)).toEqual([]);
  await until(() => !pidsIn(join(folder, 'pids')).some(isAlive));
});

test('a long input is on disk only while its command runs', async () => {
  const temporary = freshFolder();
  vi.stubEnv('TMPDIR', temporary);
  const slots = open('/bin/sh');
  const input = `${'x'.repeat(10_000)}\n`;
  const ran = slots.run(script(`ls -l ${temporary}/*/`, { input }));
  vi.unstubAllEnvs();
  expect(textOf((await ran)?.stdout)).toMatch(/^-rw------- .* 10001 .*in$/m);
  const [made = ''] = readdirSync(temporary);
  expect(readdirSync(join(temporary, made)).sort()).toEqual(['0.err', '0.out']);
});

test('a missing shell or working folder is reported as a fault', async () => {
  expect(await open('/no/such/sh').run(script('true'))).toMatchObject({ fault: 'ENOENT' });
  const cwd = freshFolder();
  expect(await open('/bin/sh', { cwd: join(cwd, 'gone') }).run(script('true'))).toMatchObject({
    fault: 'ENOENT',
  });
});
