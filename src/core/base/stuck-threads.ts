/**
 * Number of threads that are in a system call and cannot be ended. The process cannot exit: it would wait for them. A
 * signal ends it.
 */
export const stuckThreads = { count: 0 };
