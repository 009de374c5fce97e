/**
 * Descriptors of the records. They are 0 and 1, unless the launcher of task-exec has moved them, to keep them from user
 * code. Only `cli/` changes them.
 */
export const descriptors: { input: number; output: number } = { input: 0, output: 1 };
