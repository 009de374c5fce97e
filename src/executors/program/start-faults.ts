/** Reasons a program was not started, by system error code. */
const FAULTS: Readonly<Record<string, string>> = {
  ENOENT: 'no such program (or its interpreter or the --cwd folder is missing)',
  EACCES: 'it is not executable (permission denied)',
  ENOEXEC: 'it is not an executable; a script must begin with a line such as #!/bin/sh',
  EMFILE: 'too many open files (lower --jobs, or raise ulimit -n)',
  ENFILE: 'too many open files on this machine (lower --jobs)',
  EAGAIN: 'too many processes (lower --jobs, or raise ulimit -u)',
  ENOMEM: 'out of memory (lower --jobs)',
  ENOSPC: 'no space left for the record in the folder for temporary files (TMPDIR)',
  E2BIG:
    'its arguments or variables are too long: 128 KiB each, 2 MB in all (the record is also on standard input)',
  ERR_INVALID_ARG_VALUE: 'an argument or variable contains a NUL character',
};

/** Returns the reason a program was not started. @param fault system error code, or words */
export function startFault(fault: string): string {
  return FAULTS[fault] ?? fault;
}
