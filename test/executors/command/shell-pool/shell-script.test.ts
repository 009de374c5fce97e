import { describe, expect, test } from 'vitest';
import type { ShellJob } from '../../../../src/executors/command/shell-pool/job.ts';
import {
  dividedEnv,
  fitsInScript,
  orderText,
  placeOf,
} from '../../../../src/executors/command/shell-pool/shell-script.ts';
import { endedIn, fateOf } from '../../../../src/executors/command/shell-pool/shell-status.ts';

const place = { ...placeOf("/tmp/it's", 7), nonce: 'N', argv0: '/N/sh' };
const order: ShellJob = {
  file: '/bin/echo',
  words: ['echo', "it's", '', '$HOME'],
  env: { TASK_UUID: "a'b" },
  input: '{}\n',
  timeout: 1000,
};
const setup = { env: { PATH: '/bin' }, maxOutput: 1 };

describe('the text of an order', () => {
  test('quotes every word and variable, and passes the input in a quoted here-document', () => {
    expect(orderText(order, setup, place, [])).toBe(
      `(TASK_UUID='a'"'"'b' exec echo 'it'"'"'s' '' '$HOME' ` +
        `>'/tmp/it'"'"'s/7.out' 2>'/tmp/it'"'"'s/7.err' <<'N')\n{}\nN\necho N:$?\n`,
    );
  });

  test('has the path of a program if the shell would misread its name or find another file', () => {
    const called = (file: string, name: string, env = setup.env) =>
      /exec '?([^' ]+)/.exec(
        orderText({ ...order, file, words: [name] }, { env, maxOutput: 1 }, place, []),
      )?.[1];
    expect(called('/bin/convert', 'convert')).toBe('convert');
    expect(called('/srv/in/prog', './prog')).toBe('./prog');
    expect(called('/bin/-x', '-x')).toBe('/bin/-x');
    expect(called('/bin/sh', 'sh')).toBe('/bin/sh');
    expect(called('/usr/bin/convert', 'convert', {} as never)).toBe('/usr/bin/convert');
  });

  test.each([
    ['a\n', true],
    [`${'x'.repeat(4095)}\n`, true],
    [`${'é'.repeat(2048)}\n`, false],
    ['no newline at its end', false],
    ['a\0b\n', false],
    ['a\nN\nb\n', false],
    ['', false],
  ])('includes %j as input: %s', (input, is) => {
    expect(fitsInScript(input, place)).toBe(is);
  });

  test('has a different nonce for each place', () => {
    expect(placeOf('/tmp', 1).nonce).not.toBe(placeOf('/tmp', 1).nonce);
  });
});

test('dividedEnv leaves variables that shells change or drop to env', () => {
  expect(
    dividedEnv({ PATH: '/bin', 'a.b': '1', PWD: '/x', A_1: '2', '1A': '3', SHELLOPTS: 'xtrace' }),
  ).toEqual({
    env: { PATH: '/bin', A_1: '2' },
    others: ['a.b=1', 'PWD=/x', '1A=3', 'SHELLOPTS=xtrace'],
  });
});

describe('the end that a shell reports', () => {
  const fate = (said: string, status: number) => fateOf({ said, status }, place);

  test('is read after the messages, once it is complete', () => {
    expect(endedIn('Killed\nN:137\n', place)).toEqual({ said: 'Killed\n', status: 137 });
    expect(endedIn('N:0\n', place)).toEqual({ said: '', status: 0 });
    expect(endedIn('Killed\nN:13', place)).toBeUndefined();
    expect(endedIn('Killed\n', place)).toBeUndefined();
  });

  test.each([
    ['dash and busybox', 'Killed\n', 137],
    ['bash', "/N/sh: line 9: 15646 Killed   ( exec 'a\nb' > o )\n", 137],
    ['mksh', 'Killed \n', 137],
    ['ksh93', '/N/sh: line 7: 15975: Killed\n', 265],
    ['another language', 'Getötet\n', 137],
  ])('is a signal if there is a message: %s', (_, said, status) => {
    expect(fate(said, status)).toEqual({ exit: null, signal: 'SIGKILL' });
  });

  test('is an exit code if there is no message', () => {
    expect(fate('', 137)).toEqual({ exit: 137, signal: null });
    expect(fate('', 0)).toEqual({ exit: 0, signal: null });
  });

  test('has the usual name of a signal, or its number', () => {
    expect(fate('Aborted\n', 134)).toEqual({ exit: null, signal: 'SIGABRT' });
    expect(fate('Real-time signal 6\n', 168)).toEqual({ exit: null, signal: 'SIG40' });
  });

  test.each([
    ['/N/sh: 3: Cannot fork\n', 2, 'EAGAIN'],
    ['/N/sh: fork: Resource temporarily unavailable\n', 254, 'EAGAIN'],
    ["/N/sh: can't fork: Resource temporarily unavailable\n", 2, 'EAGAIN'],
    ['/N/sh: 3: cannot create /tmp/x: Directory nonexistent\n', 2, 'Directory nonexistent'],
  ])('is a fault if nothing was started: %s', (said, status, fault) => {
    expect(fate(said, status)).toEqual({ fault });
  });

  test('is not affected by other warnings', () => {
    expect(fate('warning: setlocale: cannot change locale\n', 1)).toEqual({ exit: 1, signal: null });
  });

  test('is not affected by messages about a repeated fork', () => {
    const again = '/N/sh: fork: retry: Resource temporarily unavailable\n';
    expect(fate(again, 3)).toEqual({ exit: 3, signal: null });
    expect(fate(`${again}${again}Killed\n`, 137)).toEqual({ exit: null, signal: 'SIGKILL' });
  });
});
