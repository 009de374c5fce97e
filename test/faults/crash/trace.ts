import { existsSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { sh } from '../../support/run.ts';
import type { Program } from '../support/program.ts';

/** System call on a file of the folder or on the folder itself; `tee` is a write to the standard output. */
export type Call =
  | { readonly kind: 'open'; readonly name: string; readonly truncates: boolean }
  /** `at` is undefined for an append. */
  | { readonly kind: 'write'; readonly name: string; readonly bytes: Buffer; readonly at: number | undefined }
  | { readonly kind: 'truncate'; readonly name: string; readonly size: number }
  | { readonly kind: 'sync'; readonly name: string }
  | { readonly kind: 'sync folder' }
  | { readonly kind: 'rename'; readonly name: string; readonly to: string }
  | { readonly kind: 'unlink'; readonly name: string }
  | { readonly kind: 'tee'; readonly text: string };

/** Names of files beside the traced folder, which are not part of it. */
const TEE = 'tee';
const TRACE = 'trace';

const CALLS =
  'openat,open,write,pwrite64,ftruncate,fdatasync,fsync,rename,renameat,renameat2,unlink,unlinkat'.split(',');

/**
 * Runs a command in a folder under strace.
 * @param input path of its standard input
 * @returns its calls in order: a write at its start, a sync at its end
 * @throws if the exit code is not 0 or 1
 */
export async function recorded(
  program: Program,
  folder: string,
  command: string,
  input: string,
): Promise<readonly Call[]> {
  const above = dirname(folder);
  const trace = join(above, TRACE);
  const strace = `strace -f -y -qq -xx -s 10000000 -o ${trace} -e trace=${CALLS.join(',')} -e signal=none`;
  const { code, stderr } = await sh(`${strace} ${command} < ${input} > ${join(above, TEE)}`, {
    cwd: folder,
    env: { ...program.env, UV_USE_IO_URING: '0' }, // io_uring operations are not system calls
  });
  if (code !== 0 && code !== 1) throw new Error(`${command} exited with ${code}: ${stderr}`);
  if (!existsSync(trace)) throw new Error(`strace wrote nothing: ${stderr}`);
  const calls = callsOf(readFileSync(trace, 'latin1'), realpathSync(folder));
  rmSync(trace);
  rmSync(join(above, TEE));
  return calls;
}

function callsOf(trace: string, folder: string): readonly Call[] {
  const lines: { text: string; end: number }[] = [];
  const open = new Map<string, number>();
  for (const [i, line] of trace.split('\n').entries()) {
    const [, thread = '', text = ''] = /^(\d+) +(.*)/.exec(line) ?? [];
    const begun = open.get(thread);
    if (text.startsWith('<...') && begun !== undefined) {
      const call = lines[begun] as { text: string; end: number };
      call.text = call.text.replace(/ <unfinished \.\.\.>$/, '') + text.replace(/^<\.\.\. \w+ resumed>/, '');
      call.end = i;
      open.delete(thread);
      lines.push({ text: '', end: i });
      continue;
    }
    if (text.endsWith('<unfinished ...>')) open.set(thread, i);
    lines.push({ text, end: i });
  }
  const found: { call: Call; at: number }[] = [];
  for (const [begin, { text, end }] of lines.entries()) {
    const call = callOf(text, folder);
    if (call !== undefined) found.push({ call, at: call.kind.startsWith('sync') ? end : begin });
  }
  return found.sort((a, b) => a.at - b.at).map(({ call }) => call);
}

/** Returns the call of a line; undefined if it failed or concerns another folder. */
function callOf(line: string, folder: string): Call | undefined {
  const [, name = '', given = '', result = ''] = /^(\w+)\((.*)\) += (.*)$/s.exec(line) ?? [];
  if (!CALLS.includes(name) || result.startsWith('-1')) return undefined;
  const strings = [...given.matchAll(/"((?:\\x..)*)"/g)].map(([, hex]) => bytesOf(hex as string));
  const pathOf = (path: string): string | undefined => {
    const whole = path.startsWith('/') ? path : join(folder, path);
    return dirname(whole) === folder ? basename(whole) : undefined;
  };
  if (name.startsWith('open')) {
    const file = pathOf(String(strings[0]));
    if (file === undefined || !given.includes('O_CREAT')) return undefined;
    return { kind: 'open', name: file, truncates: given.includes('O_TRUNC') };
  }
  if (name.startsWith('rename') || name.startsWith('unlink')) {
    const [from, to] = strings.map((path) => pathOf(String(path)));
    if (from === undefined) return undefined;
    return to === undefined ? { kind: 'unlink', name: from } : { kind: 'rename', name: from, to };
  }
  const target = String(bytesOf(/^\d+<((?:\\x..)*)>/.exec(given)?.[1] ?? ''));
  if (target === folder) return { kind: 'sync folder' };
  if (name === 'write' && target === join(dirname(folder), TEE)) {
    return { kind: 'tee', text: String(strings[0]) };
  }
  const file = target.startsWith('/') ? pathOf(target) : undefined;
  if (file === undefined) return undefined;
  const last = Number(/(\d+)$/.exec(given)?.[1]);
  if (name === 'ftruncate') return { kind: 'truncate', name: file, size: last };
  if (name.endsWith('sync')) return { kind: 'sync', name: file };
  const bytes = (strings[0] as Buffer).subarray(0, Number(result));
  return { kind: 'write', name: file, bytes, at: name === 'pwrite64' ? last : undefined };
}

function bytesOf(hex: string): Buffer {
  return Buffer.from(hex.replaceAll('\\x', ''), 'hex');
}
