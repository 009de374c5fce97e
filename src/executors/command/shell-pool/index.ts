/*
 * Starts programs quickly: small shells fork them, since a fork of a large Node process is slow. Owns the protocol with
 * the shells; docs/decisions says why they exist. Must not know tasks.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ioError } from '../../../core/base/errors.ts';
import { type OrphanKiller, openOrphanKiller } from '../../program/orphan-killer.ts';
import { type JobReport, notStarted, type Setup, type ShellJob } from './job.ts';
import { ShellSlot } from './shell-slot.ts';

/** Pool of slots: runs any number of commands at once. */
export interface Slots {
  /**
   * Runs a command.
   * @returns undefined if the shell that started it was killed
   * @throws {TaskpipeError} `IO` if the folder for temporary files cannot be made
   */
  run(job: ShellJob): Promise<JobReport | undefined>;
  /** Kills what still runs. */
  close(): Promise<void>;
}

/** Longest time that a shell may take to end, in milliseconds. */
const LAST = 2000;

/** Opens a pool. The folder and the first shell are made for the first command. */
export function openShellPool(setup: Setup): Slots {
  const slots = new Set<ShellSlot>();
  const idle: ShellSlot[] = [];
  let base: { readonly folder: string; readonly orphanKiller: OrphanKiller } | undefined;
  let made = 0;
  const watch = (): void => base?.orphanKiller.watch([...slots].flatMap(({ group }) => group ?? []));
  const open = (): ShellSlot => {
    base ??= openBase(setup.shell ?? '/bin/sh');
    const slot = new ShellSlot(setup, base.folder, made++);
    slots.add(slot);
    watch();
    void slot.gone.then(() => {
      slots.delete(slot);
      watch();
    });
    return slot;
  };
  return {
    async run(job) {
      const fault = refusal(job);
      if (fault !== undefined) return notStarted(fault);
      let slot = idle.pop();
      while (slot?.isGone) slot = idle.pop();
      slot ??= open();
      const report = await slot.run(job);
      if (!slot.isGone) idle.push(slot);
      return report;
    },
    async close() {
      const all = [...slots];
      for (const slot of idle) slot.end();
      for (const slot of all) if (!idle.includes(slot)) slot.kill();
      const timer = setTimeout(() => all.forEach((slot) => void slot.kill()), LAST);
      await Promise.all(all.map(({ gone }) => gone));
      clearTimeout(timer);
      await base?.orphanKiller.close();
      if (base !== undefined) rmSync(base.folder, { recursive: true, force: true });
    },
  };
}

function openBase(shell: string): { folder: string; orphanKiller: OrphanKiller } {
  let folder: string;
  try {
    folder = mkdtempSync(join(tmpdir(), 'task-exec-'));
  } catch (error) {
    throw ioError('cannot make a folder for the outputs of commands in', `${tmpdir()} (TMPDIR)`, error);
  }
  return { folder, orphanKiller: openOrphanKiller({ shell, folder }) };
}

/** Returns the reason a command cannot be sent to a shell, as a system error code; undefined if it can. */
function refusal({ file, words, env }: ShellJob): string | undefined {
  if (file === '') return 'ENOENT';
  const hasNul = (text: string): boolean => text.includes('\0');
  return words.some(hasNul) || Object.values(env).some(hasNul) ? 'ERR_INVALID_ARG_VALUE' : undefined;
}
