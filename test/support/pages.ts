import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { startNats, type TestNats } from './nats.ts';
import { freePort } from './port.ts';
import { startRedis, type TestRedis } from './redis.ts';
import { type Ended, freshFolder, has, root, sh } from './run.ts';

/** Fenced block of a Markdown page. */
export interface Block {
  /** Words after the fence: `sh`, `js`, `text`. Tests run only blocks whose words are exactly `sh`. */
  readonly kind: string;
  readonly body: string;
}

/** Returns the pages that people read, by their paths below the project's folder. */
export function pages(): string[] {
  const docs = readdirSync(join(root, 'docs'), { recursive: true }).map((name) => `docs/${name}`);
  const others = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/README.md'];
  return [...others, ...docs.filter((path) => path.endsWith('.md')).sort()];
}

/** Returns the text of a page. */
export function read(page: string): string {
  return readFileSync(join(root, page), 'utf8');
}

/** Returns the fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  return [...read(page).matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map(([, kind = '', body = '']) => ({
    kind,
    body,
  }));
}

/** Programs that are not on every machine. A block that needs a missing one is skipped. */
const PROGRAMS = [
  ...['make', 'flock', 'jq', 'sqlite3', 'xargs', 'curl', 'parallel', 'split', 'pv', 'python3'],
  ...['redis-server', 'nats-server', 'gzip'],
];

/** Replacements for ssh and scp: a server is a folder of its name. */
const STAND_INS: Readonly<Record<string, string>> = {
  ssh: `#!/bin/sh
mkdir -p "$HOME/$1" && cd "$HOME/$1" && shift && exec sh -c "$*"
`,
  scp: `#!/bin/sh
shift
to=$(printf %s "$2" | sed "s#^\\(server[0-9]*\\):#$HOME/\\1/#")
from=$(printf %s "$1" | sed "s#^\\(server[0-9]*\\):#$HOME/\\1/#")
case $2 in server*:) mkdir -p "$to" ;; esac
exec cp "$from" "$to"
`,
};

/** Block that ran, with its result. */
export interface Ran extends Ended {
  readonly block: string;
}

/** Runner of pages in fresh folders. */
export interface PageRunner {
  /** Folder of the last page that ran. */
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Programs that are not installed here. */
  readonly missing: readonly string[];
  /**
   * Writes the files of a page (blocks whose first line names one, and Makefiles), and runs its `sh` blocks.
   */
  run(page: string): Promise<Ran[]>;
}

/**
 * Makes a runner.
 * @param address host and port of the web server that replaces 127.0.0.1:8080 and api.example.com
 */
export async function pageRunner(address: string): Promise<PageRunner> {
  const found = await Promise.all(PROGRAMS.map(async (program) => ((await has(program)) ? '' : program)));
  const missing = found.filter((program) => program !== '');
  let cwd = '';
  let env = {};
  let redis: TestRedis | undefined;
  let nats: TestNats | undefined;
  const translate = async (body: string): Promise<string> => {
    let text = body
      .replaceAll('127.0.0.1:8080', address)
      .replaceAll('https://api.example.com', `http://${address}`);
    if (text.includes(':8081') || text.includes('port: 8081')) {
      port ??= await freePort();
      text = text.replaceAll('8081', String(port));
    }
    if (text.includes('redis://127.0.0.1:6379')) {
      redis ??= await startRedis();
      text = text.replaceAll('127.0.0.1:6379', new URL(redis.url).host);
    }
    if (text.includes('nats://127.0.0.1:4222')) {
      nats ??= await startNats();
      text = text.replaceAll('nats://127.0.0.1:4222', nats.url);
    }
    return text;
  };
  let port: number | undefined;
  return {
    missing,
    get cwd() {
      return cwd;
    },
    get env() {
      return env;
    },
    async run(page) {
      ({ cwd, env } = folder(address));
      const ran: Ran[] = [];
      for (const { kind, body } of blocksOf(page)) {
        if (needs(body).some((program) => missing.includes(program))) continue;
        const block = await translate(body);
        const [, name] =
          /^(?:\/\/|#) ([\w./-]+\.(?:mjs|js|ts|py))$/m.exec(block.split('\n', 1)[0] ?? '') ?? [];
        if (kind === 'make') writeFileSync(join(cwd, 'Makefile'), block);
        else if (name !== undefined && kind !== 'sh') writeFileSync(join(cwd, name), block);
        else if (kind === 'sh') ran.push({ block, ...(await sh(`set -o pipefail\n${block}`, { cwd, env })) });
      }
      return ran;
    },
  };
}

/** Runs a page. Each block must exit with 0 and print no complaint. Returns the number of blocks that ran. */
export async function runPage(runner: PageRunner, page: string): Promise<number> {
  const ran = await runner.run(page);
  for (const { block, code, stdout, stderr } of ran) {
    expect([block, code, stdout, stderr]).toEqual([block, 0, stdout, stderr]);
    expect([block, stderr]).not.toEqual([
      block,
      expect.stringMatching(/not found|did you mean|unknown option|must be|a defect|No such/),
    ]);
  }
  return ran.length;
}

/** Returns the programs that a block needs, of those that are not everywhere. */
function needs(body: string): string[] {
  const named = PROGRAMS.filter((program) => new RegExp(`(?<![\\w./-])${program}(?![\\w-])`).test(body));
  if (body.includes('redis://')) named.push('redis-server');
  if (body.includes('nats://')) named.push('nats-server');
  return named;
}

/**
 * Makes a folder with a list of urls, the package as a dependency, and replacements for programs that use a
 * network.
 */
function folder(address: string): { cwd: string; env: Record<string, string> } {
  const cwd = freshFolder();
  const bin = join(cwd, 'stand-ins');
  mkdirSync(bin);
  for (const [name, text] of Object.entries(STAND_INS)) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  mkdirSync(join(cwd, 'node_modules'));
  symlinkSync(root, join(cwd, 'node_modules/taskpipe'));
  writeFileSync(join(cwd, 'package.json'), '{"type":"module"}\n');
  const rows = Array.from(
    { length: 12 },
    (_, i) => `${i + 1},http://${address}/item/${i + 1},${i % 3 ? 'NY' : 'CA'}`,
  );
  writeFileSync(join(cwd, 'a.csv'), `id,url,state\n${rows.join('\n')}\n`);
  return { cwd, env: { HOME: cwd, PATH: `${bin}:${root}bin:${process.env.PATH}` } };
}
