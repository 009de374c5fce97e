import { type ChildProcess, spawn } from 'node:child_process';
import { messageOf, systemCode } from '../../../core/base/errors.ts';
import { encodeUtf8 } from '../../../core/text/encoding.ts';
import type { dividedEnv, JobPlace } from './shell-script.ts';
import { endedIn, type ShellExit } from './shell-status.ts';

/** Shell that runs texts. */
export interface Shell {
  /** Leader of its process group; undefined if it was not started. */
  readonly pid: number | undefined;
  /** True if the shell was not started, or has ended. */
  readonly isGone: boolean;
  /** Everything it said since the last text; if it was not started, the system error code. */
  readonly said: string;
  /** Promise that resolves when it has ended. */
  readonly gone: Promise<void>;
  /**
   * Runs a text that ends with a report. Texts must not overlap. Lone surrogates are bytes, see `encoding.ts`.
   * @returns undefined if the shell ends before it reports
   */
  tell(text: string): Promise<ShellExit | undefined>;
  /** Closes its input. */
  end(): void;
}

/** Starts the shell of a slot. It leads its own process group and session. */
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
      return leave(error); // the variables of the shell are too long
    }
    child.on('error', leave);
    child.on('close', () => leave());
  });
  child?.stdin?.on('error', () => {}); // its end is noticed elsewhere
  // Latin-1, so that the nonce is found whatever bytes surround it.
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
      child?.stdin?.write(text.isWellFormed() ? text : encodeUtf8(text));
      return new Promise((resolve) => {
        settle = resolve;
      });
    },
    end: () => void child?.stdin?.end(),
  };
}
