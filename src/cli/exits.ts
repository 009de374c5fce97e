import type { ErrorCode } from '../core/base/errors.ts';

/** Exit codes by the code of the error that ended a stage. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  DATA: 65,
  IO: 74,
  LOCKED: 75,
  PIPE: 141,
};

/** Exit code for a defect of taskpipe or of user code: EX_SOFTWARE of sysexits.h. */
export const DEFECT = 70;

/** All exit codes with their descriptions, for help and man pages. */
export const EXITS: readonly (readonly [codes: readonly number[], words: string])[] = [
  [[0], 'success'],
  [[1], 'some tasks or lines failed'],
  [[EXIT_CODES.USAGE], 'usage error'],
  [[EXIT_CODES.DATA], 'the input cannot be used'],
  [[DEFECT], 'a defect of taskpipe, or an uncaught error of a --module or --flow'],
  [[EXIT_CODES.IO], 'reading or writing failed'],
  [[EXIT_CODES.LOCKED], 'another process holds the lock'],
  [[129], 'stopped by SIGHUP: the terminal was closed'],
  [[130, 143], 'stopped by SIGINT (Ctrl-C), SIGTERM'],
  [[137], 'killed, because a --module or --flow blocked the stage'],
  [[EXIT_CODES.PIPE], 'the reader of the output left'],
];
