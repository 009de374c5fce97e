/* Large downloads into files, by processes that are killed, or have no room. */
import type { ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { headOf, LargeFile, MB, type Serving, serveLarge } from '../../support/large-server.ts';
import { ended, freshFolder, sh, start } from '../../support/run.ts';

/** Size of the file in MB: `DOWNLOAD_MB=2048` tests a realistic size. */
const SIZE = Number(process.env.DOWNLOAD_MB ?? 200);

async function digest(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}

function run(cwd: string, options = ''): ChildProcess {
  return start(`exec task-exec --http --timeout 10m --retries 0 --body-dir pdfs ${options} < in`, { cwd });
}

/** Returns the number of bytes in the partial files of a folder. */
function partial(cwd: string): number {
  const own = join(cwd, 'pdfs/.taskpipe');
  if (!existsSync(own)) return 0;
  const names = readdirSync(own).filter((name) => name.endsWith('.part'));
  return names.reduce((sum, name) => sum + statSync(join(own, name)).size, 0);
}

test(`a download of ${SIZE} MB that is killed five times is whole, and was not fetched twice`, async () => {
  const file = new LargeFile(SIZE * MB);
  const step = Math.floor(file.size / 6);
  /** Sends a sixth of the file, and no more until the process is killed. */
  const someOf = async (serving: Serving): Promise<void> => {
    const from = headOf(file, serving);
    const end = serving.count > 5 ? file.size : (serving.count * file.size) / 6;
    await serving.send(from, Math.floor(end));
    if (serving.count > 5) serving.response.end();
  };
  const server = await serveLarge(file, someOf);
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'in'), `{"uuid":"a","url":"${server.url}/a.pdf"}\n`);
  for (let kill = 1; kill <= 5; kill++) {
    const child = run(cwd);
    await expect.poll(() => partial(cwd), { timeout: 120_000 }).toBe(Math.floor((kill * file.size) / 6));
    child.kill('SIGKILL');
    await ended(child);
  }
  const { stdout, code } = await ended(run(cwd));
  expect(code).toBe(0);
  const { result } = JSON.parse(stdout);
  expect(result).toMatchObject({ status: 200, bytes: file.size, sha256: file.sha256 });
  expect(await digest(join(cwd, result.file))).toBe(file.sha256);
  expect(readdirSync(join(cwd, 'pdfs'))).toHaveLength(1);
  expect(server.seen).toHaveLength(6);
  expect(step).toBeGreaterThan(4 * MB);
  expect(server.sent).toBeLessThanOrEqual(file.size + 5 * 4 * MB); // bytes that were not noted yet
}, 600_000);

test.each(['SIGINT', 'SIGTERM'] as const)(
  'a download that %s stops is continued by the next run',
  async (signal) => {
    const file = new LargeFile(6 * MB);
    const server = await serveLarge(file, async (serving) => {
      const from = headOf(file, serving);
      await serving.send(from, serving.count === 1 ? 3 * MB : file.size);
      if (serving.count > 1) serving.response.end();
    });
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'in'), `{"uuid":"a","url":"${server.url}/a.pdf"}\n`);
    const child = run(cwd, '--grace 0s');
    const first = ended(child);
    await expect.poll(() => partial(cwd), { timeout: 30_000 }).toBe(3 * MB);
    child.kill(signal);
    expect(JSON.parse((await first).stdout).run.state).toBe('PENDING');
    const { stdout } = await ended(run(cwd));
    expect(JSON.parse(stdout).result.sha256).toBe(file.sha256);
    expect(server.sent).toBe(file.size);
  },
);

/** Command that creates a private mount namespace; undefined if the system does not allow it. */
const mounts: string | undefined = await (async () => {
  for (const alone of ['unshare -Urm', 'unshare -m']) {
    const { code } = await sh(`${alone} bash -c 'mkdir d && mount -t tmpfs -o size=64k none d'`);
    if (code === 0) return alone;
  }
  return undefined;
})();

test.skipIf(mounts === undefined)(
  'a full disk ends the stage, and the next run continues the download',
  async () => {
    const file = new LargeFile(12 * MB);
    const server = await serveLarge(file);
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'in'), `{"uuid":"a","url":"${server.url}/a.pdf"}\n`);
    const script = `
    mkdir d && mount -t tmpfs -o size=8m none d && cd d || exit
    exec_() { task-exec --http --body-dir pdfs < ../in > ../$1.out 2> ../$1.err; echo $? > ../$1.code; }
    exec_ first; mount -o remount,size=40m . && exec_ second; sha256sum pdfs/*.pdf > ../sum; ls -A pdfs > ../names`;
    await sh(`${mounts} bash -c '${script}'`, { cwd });
    const text = (name: string): string => readFileSync(join(cwd, name), 'utf8');
    expect(text('first.code')).toBe('74\n');
    expect(text('first.err')).toMatch(/cannot write pdfs\/.*: no space left on the device/);
    expect(text('first.out')).toBe('');
    expect(text('second.code')).toBe('0\n');
    expect(JSON.parse(text('second.out')).result.sha256).toBe(file.sha256);
    expect(text('sum')).toMatch(file.sha256);
    expect(text('names').trim().split('\n')).toHaveLength(1);
    expect(server.seen[1]?.headers.range).toMatch(/^bytes=\d{7}-$/);
  },
);
