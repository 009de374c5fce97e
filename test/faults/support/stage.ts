import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { processesOf } from '../../pipes/pipeline.ts';
import { environment } from '../../support/run.ts';
import { after, LIMIT } from './live.ts';
import type { Program } from './program.ts';

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants;

/**
 * One stage between two real pipes, of which the test is the other end: it can let one run full or dry, and look at
 * what was never taken from it.
 */
export class Stage {
  readonly pid: number;
  stderr = '';
  /** Its exit code, or the signal that ended it. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #leftover: number;
  readonly #input: number;
  readonly #output: number;
  readonly #lineOf: (n: number) => string;
  #reader: Socket | undefined;
  #chunks: Buffer[] = [];
  #isClosed = false;
  /** How many lines are to be given, and how many bytes were. */
  #wanted = 0;
  #line = 0;
  #pending: Buffer = Buffer.alloc(0);
  #given = 0;

  /** @param lineOf the nth line of its input, from 0, without its end */
  constructor(program: Program, folder: string, command: readonly string[], lineOf: (n: number) => string) {
    const [input, output] = ['in', 'out'].map((name) => join(folder, name)) as [string, string];
    spawnSync('mkfifo', [input, output]);
    this.#leftover = openSync(input, O_RDONLY | O_NONBLOCK);
    this.#input = openSync(input, O_WRONLY | O_NONBLOCK);
    this.#output = openSync(output, O_RDONLY | O_NONBLOCK);
    this.#lineOf = lineOf;
    const ends = [openSync(input, O_RDONLY), openSync(output, O_WRONLY)] as const;
    const [name = '', ...args] = command;
    const env = environment(program.env);
    this.#child = spawn(name, args, { cwd: folder, env, stdio: [...ends, 'pipe'], detached: true });
    for (const fd of ends) closeSync(fd);
    this.pid = this.#child.pid as number;
    this.#child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
    });
    this.ended = new Promise((resolve) => {
      this.#child.on('exit', (code, signal) => resolve(code ?? (signal as string)));
    });
    void this.#pump();
  }

  /** Gives so many lines more, as the pipe has room for them. */
  give(lines: number): void {
    this.#wanted += lines;
  }

  /** Closes the input after all lines that are to be given. */
  async closeAfterAll(): Promise<void> {
    while (this.#line < this.#wanted && !this.#isClosed) await after(1);
    await this.close();
  }

  /** Gives no more, and closes the input after a whole line. */
  async close(): Promise<void> {
    this.#wanted = this.#line;
    while (this.#pending.length > 0 && !this.#isClosed) await after(1);
    this.#closeInput();
  }

  #closeInput(): void {
    if (!this.#isClosed) closeSync(this.#input);
    this.#isClosed = true;
  }

  async #pump(): Promise<void> {
    for (; !this.#isClosed; await after(1)) {
      while (this.#pending.length > 0 || this.#line < this.#wanted) {
        if (this.#pending.length === 0) this.#nextLines();
        const written = this.#write();
        if (written === 0) break;
        this.#pending = this.#pending.subarray(written);
        this.#given += written;
      }
    }
  }

  #nextLines(): void {
    let text = '';
    while (this.#line < this.#wanted && text.length < 32_768) text += `${this.#lineOf(this.#line++)}\n`;
    this.#pending = Buffer.from(text);
  }

  /** Writes what the pipe has room for. */
  #write(): number {
    try {
      return writeSync(this.#input, this.#pending);
    } catch {
      return 0; // it is full
    }
  }

  /** Takes what comes out, from now on. */
  read(): void {
    this.#reader = new Socket({ fd: this.#output, readable: true, writable: false });
    this.#reader.on('data', (chunk) => this.#chunks.push(chunk));
    this.#reader.on('error', () => {});
  }

  /** Leaves, as a reader. */
  leave(): void {
    if (this.#reader === undefined) closeSync(this.#output);
    else this.#reader.destroy();
  }

  /** What came out. */
  get out(): string {
    this.#chunks = [Buffer.concat(this.#chunks)];
    return String(this.#chunks[0]);
  }

  /** Waits for the end of its output, unless nobody reads it: a pipe holds 64 KB more after the process has ended. */
  async readAll(): Promise<void> {
    const end = performance.now() + LIMIT;
    while (this.#reader !== undefined && !this.#reader.readableEnded && !this.#reader.destroyed) {
      if (performance.now() > end) throw new Error('waited in vain for the end of the output');
      await after(2);
    }
  }

  /** How many lines it has taken from its input as a whole, once it has ended. */
  consumed(): number {
    this.#closeInput();
    let left = 0;
    const buffer = Buffer.alloc(1 << 20);
    for (let read = -1; read !== 0; left += read) read = readSync(this.#leftover, buffer);
    closeSync(this.#leftover);
    let bytes = this.#given - left;
    let lines = 0;
    for (; lines < this.#line; lines++) {
      bytes -= Buffer.byteLength(this.#lineOf(lines)) + 1;
      if (bytes < 0) break;
    }
    return lines;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Signals the stage and all that it started, as a service manager does. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  /** Waits until a signal that was sent has reached it: another one of its kind would be the same one before that. */
  async heard(): Promise<void> {
    await this.until(() => !/^(SigPnd|ShdPnd):.*[1-9a-f]/m.test(this.#proc('status')));
  }

  /** Waits until something is so, or it has ended. */
  async until(isSo: () => boolean): Promise<void> {
    const end = performance.now() + LIMIT;
    while (!isSo()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
      if (performance.now() > end) throw new Error(`waited in vain for ${isSo}`);
      await after(5);
    }
  }

  /** Waits until it neither reads nor writes any more: it waits for us. */
  async isStill(): Promise<void> {
    let last = '';
    let same = 0;
    await this.until(() => {
      const now = `${this.#proc('io')}${this.ticks()}`;
      same = now === last && /^\S+ S/.test(this.#state()) ? same + 1 : 0;
      last = now;
      return same >= 20;
    });
  }

  #state(): string {
    return this.#proc('stat').replace(/^.*\) /s, '- ');
  }

  /** The processor time that it took, in hundredths of a second. */
  ticks(): number {
    const [, , , , , , , , , , , , user = 0, system = 0] = this.#state().split(' ').map(Number);
    return user + system;
  }

  /** How many bytes it has written, to whatever. */
  get written(): number {
    return Number(/^wchar: (\d+)/m.exec(this.#proc('io'))?.[1] ?? 0);
  }

  #proc(file: string): string {
    try {
      return readFileSync(`/proc/${this.pid}/${file}`, 'utf8');
    } catch {
      return ''; // it has ended
    }
  }

  /** Kills whatever is left of it, at once. */
  killAll(): void {
    if (processesOf(this.pid).length > 0) this.signalGroup('SIGKILL');
    this.#closeInput();
  }

  /** Kills whatever is left of it. Returns what there was. */
  async clean(): Promise<string> {
    const left = (): string =>
      processesOf(this.pid)
        .map(({ command }) => command.replaceAll('\0', ' '))
        .join('; ');
    for (let i = 0; i < 300 && left() !== ''; i++) await after(10);
    const there = left();
    this.killAll();
    return there;
  }
}
