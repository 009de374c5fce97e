import { type ChildProcess, spawn } from 'node:child_process';
import { messageOf, systemCode } from '../../../core/base/errors.ts';
import type { dividedEnv, JobPlace } from './shell-script.ts';
import { endedIn, type ShellExit } from './shell-status.ts';

/** A shell that does what it is told. */
export interface Shell {
  /** The leader of its process group; undefined where it was not started. */
  readonly pid: number | undefined;
  /** Whether it was not started, or is no more. */
  readonly isGone: boolean;
  /** All that it has said to the last text; where it was not started, the code of the system for why. */
  readonly said: string;
  /** Resolves when it is no more. */
  readonly gone: Promise<void>;
  /**
   * Has it run a text, at whose end it reports; not before it has done with the last.
   * @returns undefined where it is gone before it reports
   */
  tell(text: string): Promise<ShellExit | undefined>;
  /** It will be told nothing more. */
  end(): void;
}

/** Starts the shell of a slot. It leads a process group, and a session, of its own. */
export function startShell(
  file: string,
  cwd: string | undefined,
  env: ReturnType<typeof dividedEnv>['env'],
  place: JobPlace,
): Shell {
  let said = '';
  let isGone = false;
  let settle: ((ended: ShellExit | undefined) => void) | undefined;
  let child: ChildProcess | undefined;
  const gone = new Promise<void>((resolve) => {
    const leave = (why?: unknown): void => {
      if (why !== undefined) said = systemCode(why) ?? messageOf(why);
      isGone = true;
      settle?.(undefined);
      resolve();
    };
    try {
      child = spawn(file, [], {
        argv0: place.argv0,
        cwd,
        env,
        detached: true,
        stdio: ['pipe', 'ignore', 'pipe'],
      });
    } catch (error) {
      return leave(error); // its variables are too long
    }
    child.on('error', leave);
    child.on('close', () => leave());
  });
  child?.stdin?.on('error', () => {}); // its end tells it
  // latin1: a nonce is found in it, whatever bytes are about it.
  child?.stderr?.setEncoding('latin1').on('data', (text: string) => {
    said += text;
    const ended = endedIn(said, place);
    if (ended !== undefined) settle?.(ended);
  });
  return {
    pid: child?.pid,
    get isGone() {
      return isGone;
    },
    get said() {
      return said;
    },
    gone,
    tell(text) {
      if (isGone) return Promise.resolve(undefined);
      said = '';
      child?.stdin?.write(text);
      return new Promise((resolve) => {
        settle = resolve;
      });
    },
    end: () => void child?.stdin?.end(),
  };
}
