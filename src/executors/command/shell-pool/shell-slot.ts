/*
 * Slot for one command at a time. A small shell starts the commands, which takes a third of the time that a
 * fork of Node takes. The shell leads the process group of the commands, so a command can be killed with
 * everything it started. The shell dies too, and the slot is not used again.
 */
import { rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { messageOf, systemCode } from '../../../core/base/errors.ts';
import { signalGroup } from '../../program/process-group.ts';
import { tailOf } from './file-tail.ts';
import { type JobReport, notStarted, type Setup, type ShellJob } from './job.ts';
import { LONG, startKillTimer } from './kill-timer.ts';
import { OutputCapture, outputOf } from './output-capture.ts';
import { type Shell, startShell } from './shell.ts';
import { dividedEnv, fitsInScript, type JobPlace, orderText, placeOf, prologue } from './shell-script.ts';
import { type Fate, fateOf, faultIn, faultOfDeath, type ShellExit } from './shell-status.ts';

export class ShellSlot {
  readonly #setup: Setup;
  readonly #place: JobPlace;
  /** Words before those of each command: none, or `env` and its arguments. */
  #before: readonly string[];
  readonly #shell: Shell;
  readonly #begun: Promise<ShellExit | undefined>;
  readonly #capture: OutputCapture;
  #isRunning = false;
  /** True if the last command took long or wrote much: the next one is likely to do the same. */
  #isLong = false;
  #killed: JobReport['killed'];
  #isSpent = false;
  /** True if a background process holds the outputs open. */
  #isHeld = false;

  /**
   * @param folder for its files
   * @param number distinguishes its files from those of other slots
   */
  constructor(setup: Setup, folder: string, number: number) {
    const { env, others } = dividedEnv(setup.env);
    this.#setup = setup;
    this.#before = others.length > 0 ? ['env', ...others] : [];
    this.#place = placeOf(folder, number);
    const { stdout, stderr } = this.#place;
    this.#capture = new OutputCapture([stdout, stderr], setup.maxOutput, () => this.kill('output'));
    this.#shell = startShell(setup.shell ?? '/bin/sh', setup.cwd, env, this.#place);
    this.#begun = this.#shell.tell(prologue(this.#place));
    void this.#shell.gone.then(() => this.#clear());
  }

  /** Process group of the commands. */
  get group(): number | undefined {
    return this.#shell.pid;
  }

  /** True if the slot cannot be used any more. */
  get isGone(): boolean {
    return this.#isSpent || this.#shell.isGone;
  }

  /** Resolves when the shell has ended. */
  get gone(): Promise<void> {
    return this.#shell.gone;
  }

  /** Accepts no more commands. */
  end(): void {
    this.#shell.end();
  }

  /** Kills the shell at once, with the command and everything it started. */
  kill(why?: JobReport['killed']): void {
    if (this.#isHeld) return; // its command has ended
    this.#killed ??= why;
    this.#isSpent = true;
    signalGroup(this.group, 'SIGKILL');
    this.#capture.giveUp(); // processes that left the group may still have them open
  }

  /**
   * Runs a command; no other may be running. It ends when the process has ended and its outputs are closed:
   * processes that it leaves behind may still write to them.
   * @returns undefined if the shell was killed, which says nothing about the command
   */
  async run(job: ShellJob): Promise<JobReport | undefined> {
    this.#isRunning = true;
    const hasFile = !fitsInScript(job.input, this.#place);
    try {
      const begun = await this.#begun;
      if (begun === undefined) return this.#died();
      if (begun.status !== 0) return notStarted(begun.said.trim().split('\n').at(-1) ?? '');
      // With `env` before it, no builtin runs.
      if (/^builtin$/m.test(begun.said) && this.#before.length === 0) this.#before = ['env'];
      if (hasFile) await writeFile(this.#place.stdin, job.input, { mode: 0o600 });
      this.#capture.open(job.hear);
      return await this.#tell(job);
    } catch (error) {
      return notStarted(systemCode(error) ?? messageOf(error));
    } finally {
      if (hasFile) rmSync(this.#place.stdin, { force: true });
      this.#isRunning = false;
      this.#clear();
    }
  }

  async #tell(job: ShellJob): Promise<JobReport | undefined> {
    const since = performance.now();
    const killTimer = startKillTimer(job.timeout, job.cancelled, this.#isLong || job.hear !== undefined, {
      watch: () => this.#capture.watch(),
      ask: () => this.#ask(),
      kill: () => this.kill(),
    });
    const ended = await this.#shell.tell(orderText(job, this.#setup, this.#place, this.#before));
    if (ended === undefined) this.kill(); // its children must not run beside the next attempt
    const [stdout, captured] = await this.#finish(ended).finally(() => killTimer.stop());
    const stderr = job.files === undefined ? captured : await tailOf(job.files.stderr);
    if (this.#isSpent && !this.#isHeld) signalGroup(this.group, 'SIGKILL'); // its children had time to end, too
    this.#isLong = this.#capture.wereMany || performance.now() - since > LONG;
    return this.#report(job, ended, stdout, stderr);
  }

  /** Collects the outputs. Gives them up if the command has ended and they are silent, but not closed. */
  async #finish(ended: ShellExit | undefined): Promise<[stdout: Buffer, stderr: Buffer]> {
    const { linger } = this.#setup;
    const finished = this.#capture.finish();
    if (linger === undefined || ended === undefined) return finished;
    let heard = this.#capture.bytes;
    const timer = setInterval(() => {
      if (this.#capture.bytes === heard) this.#abandon(ended);
      heard = this.#capture.bytes;
    }, linger);
    return finished.finally(() => clearInterval(timer));
  }

  /** Lets a process that holds the outputs live, unless its command failed: another attempt may follow. */
  #abandon({ status }: ShellExit): void {
    this.#isSpent = true;
    this.#isHeld = status === 0 && this.#killed === undefined;
    this.#capture.giveUp();
    if (this.#isHeld) this.end();
  }

  #ask(): void {
    this.#killed ??= 'timeout';
    this.#isSpent = true;
    signalGroup(this.group, 'SIGTERM');
  }

  #report(
    job: ShellJob,
    ended: ShellExit | undefined,
    stdout: Buffer,
    stderr: Buffer,
  ): JobReport | undefined {
    const killed = this.#killed;
    if (ended === undefined && killed === undefined) return this.#died();
    const fate: Fate = ended === undefined ? { exit: null, signal: 'SIGKILL' } : fateOf(ended, this.#place);
    if ('fault' in fate) return notStarted(fate.fault);
    const fault = faultIn(fate.exit, stderr, job, this.#setup, this.#callers());
    if (fault !== undefined) return notStarted(fault);
    const report = { ...fate, stdout: outputOf(stdout), stderr: outputOf(stderr) };
    if (killed !== undefined) return { ...report, killed };
    return this.#isHeld ? { ...report, isHeld: true } : report;
  }

  /** Programs that may report, before anything else, that a command could not be started. */
  #callers(): string[] {
    return this.#before.length > 0 ? [this.#place.argv0, 'env'] : [this.#place.argv0];
  }

  #died(): JobReport | undefined {
    const fault = faultOfDeath(this.#shell.said, this.#place);
    return fault === undefined ? undefined : notStarted(fault);
  }

  /** Releases its resources if it cannot be used any more. */
  #clear(): void {
    if (!this.isGone || this.#isRunning) return;
    this.#capture.close();
    const { stdin, stdout, stderr } = this.#place;
    for (const file of [stdin, stdout, stderr]) rmSync(file, { force: true });
  }
}
