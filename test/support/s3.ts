import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { AwsClient } from 'aws4fetch';
import { afterAll, type TestContext } from 'vitest';
import { type Seen, serve } from './http-server.ts';
import { freePort } from './port.ts';
import { environment, freshFolder, root } from './run.ts';

/** S3 server of a test: OpenStack Swift on a free port, with its objects in a fresh folder. */
export interface TestS3 {
  readonly port: number;
  /** Variables with the place of the server and the credentials. @param more others, as the port of a relay */
  env(more?: Readonly<Record<string, string>>): Readonly<Record<string, string>>;
  /** Makes a bucket. */
  bucket(name: string): Promise<void>;
  /** Stores an object. @param place `BUCKET/KEY`, as in a url */
  put(place: string, body: string | Buffer): Promise<void>;
  /** Returns the text of an object, and its type. @param place `BUCKET/KEY`, as in a url */
  get(place: string): Promise<{ readonly text: string; readonly type: string }>;
  remove(place: string): Promise<void>;
  /** Returns the keys that begin with a prefix. */
  keys(bucket: string, prefix?: string): Promise<readonly string[]>;
  /** Kills the server with SIGKILL. */
  kill(): Promise<void>;
  /** Suspends the server, so that it accepts connections and answers nothing; or resumes it. */
  freeze(isFrozen: boolean): void;
  /** Takes the disk away from the server, which then answers 503; or gives it back. */
  unmount(isGone: boolean): void;
  /** Starts the server again with the objects on its disk. Resolves when it answers. */
  start(): Promise<void>;
}

/** Python of Debian, which has the module; another one may be in the PATH. */
const PYTHON = '/usr/bin/python3';
export const hasSwift: boolean = existsSync('/usr/lib/python3/dist-packages/swift/common/middleware/s3api');

/** Skips a test if Swift is not installed. */
export async function needsS3(context: TestContext): Promise<void> {
  if (!hasSwift) context.skip('python3-swift is not installed');
}

const running = new Set<ChildProcess>();
const folders: string[] = [];
afterAll(() => {
  for (const child of running) child.kill('SIGKILL');
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** Returns a folder for objects: in memory, if it can have the extended attributes that Swift needs. */
function storeFolder(): string {
  if (!existsSync('/dev/shm')) return freshFolder();
  const folder = mkdtempSync('/dev/shm/taskpipe-');
  folders.push(folder);
  const check = 'import os, sys; os.setxattr(sys.argv[1], "user.swift", b"1")';
  return spawnSync(PYTHON, ['-c', check, folder]).status === 0 ? folder : freshFolder();
}

const KEYS = { accessKeyId: 'test:tester', secretAccessKey: 'testing' };

/** Starts a server. */
export async function startS3(): Promise<TestS3> {
  const [port, folder] = [await freePort(), storeFolder()];
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    child = spawn(PYTHON, [join(root, 'test/support/s3-server.py'), folder, String(port)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: environment(),
    });
    running.add(child);
    await ready(child);
  };
  const client = new AwsClient({ ...KEYS, service: 's3', region: 'us-east-1', retries: 0 });
  const ask = async (method: string, place: string, body?: string | Buffer): Promise<Response> => {
    const url = `http://127.0.0.1:${port}/${place}`;
    const answer = await client.fetch(url, {
      method,
      ...(body === undefined ? {} : { body: Buffer.from(body) }),
    });
    if (!answer.ok) throw new Error(`${method} ${place}: ${answer.status} ${await answer.text()}`);
    return answer;
  };
  await start();
  return {
    ...{ port, start },
    env: (more = {}) => ({
      AWS_ENDPOINT_URL: `http://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      ...more,
    }),
    bucket: async (name) => void (await ask('PUT', name)),
    put: async (place, body) => void (await ask('PUT', place, body)),
    async get(place) {
      const answer = await ask('GET', place);
      return { text: await answer.text(), type: answer.headers.get('content-type') ?? '' };
    },
    remove: async (place) => void (await ask('DELETE', place)),
    async keys(bucket, prefix = '') {
      const found: string[] = [];
      for (let after = ''; ; after = found.at(-1) as string) {
        const query = new URLSearchParams({ prefix, marker: after });
        const text = await (await ask('GET', `${bucket}?${query}`)).text();
        found.push(...[...text.matchAll(/<Key>([^<]*)<\/Key>/g)].map(([, key]) => key as string));
        if (!text.includes('<IsTruncated>true')) return found;
      }
    },
    freeze: (isFrozen) => void child.kill(isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    unmount(isGone) {
      const [device, aside] = [join(folder, 'device'), join(folder, 'aside')];
      if (isGone) renameSync(device, aside);
      else if (existsSync(aside)) renameSync(aside, device);
    },
    async kill() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
      running.delete(child);
    },
  };
}

/**
 * Starts a proxy to a server, which answers some requests itself.
 * @param answer status and body of the answer to a request; undefined to pass it on
 * @returns its url
 */
export async function startS3Proxy(
  server: TestS3,
  answer: (seen: Seen) => readonly [number, string] | undefined,
): Promise<string> {
  const { url } = await serve((response, seen) => {
    const own = answer(seen);
    if (own !== undefined) return void response.writeHead(own[0]).end(own[1]);
    const { method, url: path, headers, body } = seen;
    const onward = request({ port: server.port, host: '127.0.0.1', method, path, headers }, (given) => {
      response.writeHead(given.statusCode as number, given.headers);
      given.pipe(response);
    });
    onward.on('error', () => response.destroy()).end(body);
  });
  return url;
}

/** Waits until a server accepts requests. */
async function ready(child: ChildProcess): Promise<void> {
  let log = '';
  child.stderr?.on('data', (text) => {
    if (log.length < 10_000) log += text;
  });
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => line === 'ready' && resolve());
    child.once('exit', () => reject(new Error(`Swift ended:\n${log}`)));
  });
}
