import type { Command } from '../core/command.ts';

/** The executables. Each is loaded when it is run. */
export const commands = {
  'task-load': async (): Promise<Command> => (await import('./load.ts')).command,
  'task-exec': async (): Promise<Command> => (await import('./exec.ts')).command,
  'task-save': async (): Promise<Command> => (await import('./save.ts')).command,
  'task-serve': async (): Promise<Command> => (await import('./serve.ts')).command,
  'task-done': async (): Promise<Command> => (await import('./done.ts')).command,
  'task-queue': async (): Promise<Command> => (await import('./queue.ts')).command,
} as const;

export type CommandName = keyof typeof commands;
