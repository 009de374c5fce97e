/*
 * The executables. Each is a file or a folder that declares its options and runs a stage; it is loaded when it is run.
 * Must not touch the process: that is for cli/.
 */
import type { Command } from '../core/options/command.ts';

/** The executables. Each is loaded when it is run. */
export const commands = {
  'task-load': async (): Promise<Command> => (await import('./task-load.ts')).command,
  'task-exec': async (): Promise<Command> => (await import('./exec/index.ts')).command,
  'task-save': async (): Promise<Command> => (await import('./save/index.ts')).command,
  'task-serve': async (): Promise<Command> => (await import('./task-serve.ts')).command,
  'task-done': async (): Promise<Command> => (await import('./task-done.ts')).command,
  'task-queue': async (): Promise<Command> => (await import('./queue/index.ts')).command,
} as const;

export type CommandName = keyof typeof commands;
