import type { ErrorCode } from '../core/base/errors.ts';

/** The exit code of a stage that an error ended. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  USAGE: 2,
  DATA: 65,
  IO: 74,
  LOCKED: 75,
  PIPE: 141,
};

/** A defect of ours, or of the user's code: sysexits.h's EX_SOFTWARE. */
export const DEFECT = 70;

/** All exit codes, in words: for the help text and the man pages. */
export const EXITS: readonly (readonly [codes: readonly number[], words: string])[] = [
  [[0], 'all well'],
  [[1], 'some tasks or lines failed'],
  [[EXIT_CODES.USAGE], 'wrong usage'],
  [[EXIT_CODES.DATA], 'the data is unusable'],
  [[DEFECT], 'a defect, ours or of a --module or --flow: an error that nobody caught'],
  [[EXIT_CODES.IO], 'reading or writing failed'],
  [[EXIT_CODES.LOCKED], 'somebody else holds the lock'],
  [[129], 'stopped by SIGHUP: the terminal was closed'],
  [[130, 143], 'stopped by SIGINT (Ctrl-C), SIGTERM'],
  [[EXIT_CODES.PIPE], 'the reader went away'],
];
