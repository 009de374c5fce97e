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
 * Stage between two real pipes. The test holds the other ends: it can fill a pipe or let it run empty, and count the
 * bytes that the stage did not read.
 */
export class Stage {
  readonly pid: number;
  stderr = '';
  /** Exit code, or the signal that ended the stage. */
  readonly ended: Promise<number | string>;
  readonly #child: ChildProcess;
  readonly #leftover: number;
  readonly #input: number;
  readonly #output: number;
  readonly #lineOf: (n: number) => string;
  #reader: Socket | undefined;
  #chunks: Buffer[] = [];
  #isClosed = false;
  /** Number of lines to send. */
  #wanted = 0;
  #line = 0;
  #pending: Buffer = Buffer.alloc(0);
  #given = 0;

  /** @param lineOf returns line `n` of the input, from 0, without its end */
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

  /** Sends this many more lines, as fast as the pipe takes them. */
  give(lines: number): void {
    this.#wanted += lines;
  }

  /** Closes the input after all requested lines. */
  async closeAfterAll(): Promise<void> {
    while (this.#line < this.#wanted && !this.#isClosed) await after(1);
    await this.close();
  }

  /** Sends no more lines, and closes the input after a complete one. */
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

  /** Writes as much as the pipe takes. Returns the number of bytes. */
  #write(): number {
    try {
      return writeSync(this.#input, this.#pending);
    } catch {
      return 0; // it is full
    }
  }

  /** Starts to read the output. */
  read(): void {
    this.#reader = new Socket({ fd: this.#output, readable: true, writable: false });
    this.#reader.on('data', (chunk) => this.#chunks.push(chunk));
    this.#reader.on('error', () => {});
  }

  /** Closes the output, like a reader that leaves. */
  leave(): void {
    if (this.#reader === undefined) closeSync(this.#output);
    else this.#reader.destroy();
  }

  /** Returns the output so far. */
  get out(): string {
    this.#chunks = [Buffer.concat(this.#chunks)];
    return String(this.#chunks[0]);
  }

  /** Waits for the end of the output, if it is read: a pipe holds up to 64 KB after the process has ended. */
  async readAll(): Promise<void> {
    const end = performance.now() + LIMIT;
    while (this.#reader !== undefined && !this.#reader.readableEnded && !this.#reader.destroyed) {
      if (performance.now() > end) throw new Error('the output did not end in time');
      await after(2);
    }
  }

  /** Returns the number of complete lines that the stage has read. Call it after the end. */
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

  /** Signals the stage and all processes that it started, as a service manager does. */
  signalGroup(name: NodeJS.Signals): void {
    process.kill(-this.pid, name);
  }

  /**
   * Waits until a sent signal has arrived. Before that, a second one of the same kind would merge with it.
   */
  async heard(): Promise<void> {
    await this.until(() => !/^(SigPnd|ShdPnd):.*[1-9a-f]/m.test(this.#proc('status')));
  }

  /** Waits until a condition holds or the stage has ended. */
  async until(isSo: () => boolean): Promise<void> {
    const end = performance.now() + LIMIT;
    while (!isSo()) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
      if (performance.now() > end) throw new Error(`not within the time limit: ${isSo}`);
      await after(5);
    }
  }

  /** Waits until the stage neither reads nor writes. */
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

  /** Returns the processor time used, in hundredths of a second. */
  ticks(): number {
    const [, , , , , , , , , , , , user = 0, system = 0] = this.#state().split(' ').map(Number);
    return user + system;
  }

  /** Returns the number of bytes written to any file or pipe. */
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

  /** Kills all remaining processes of the group at once. */
  killAll(): void {
    if (processesOf(this.pid).length > 0) this.signalGroup('SIGKILL');
    this.#closeInput();
  }

  /** Waits for the processes of the group to end, then kills the rest. Returns their commands. */
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
