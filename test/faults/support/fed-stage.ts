import { type ChildProcess, spawn } from 'node:child_process';
import { environment } from '../../support/run.ts';
import { LIMIT } from './live.ts';
import type { Program } from './program.ts';

/** Stage that receives line by line. Tests wait for its messages and records. */
export class FedStage {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | undefined>;
  #isOver = false;
  #wake: () => void = () => {};

  constructor(program: Program, cwd: string, [name = '', ...args]: readonly string[]) {
    this.#child = spawn(name, args, { cwd, env: environment(program.env), stdio: 'pipe' });
    this.#child.stdin?.on('error', () => {}); // it may have ended
    this.#child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.stdout += text;
      this.#wake();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text) => {
      this.stderr += text;
      this.#wake();
    });
    this.#ended = new Promise((resolve) => {
      this.#child.on('close', (code) => {
        this.#isOver = true;
        this.#wake();
        resolve(code ?? undefined);
      });
    });
  }

  give(text: string): void {
    this.#child.stdin?.write(text);
  }

  /**
   * Waits until a condition holds or the stage has ended. It checks the condition whenever the stage prints
   * something.
   */
  async until(isSo: () => boolean): Promise<void> {
    while (!this.#isOver && !isSo()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Closes its input. Returns its exit code; undefined if it hangs. */
  async end(): Promise<number | undefined> {
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), LIMIT);
    const code = await this.#ended;
    clearTimeout(timer);
    return code;
  }
}
