/**
 * Descriptors of the records. They are 0 and 1, unless the launcher of task-exec has moved them, to keep them from user
 * code. Only `cli/` changes them.
 */
export const descriptors: { input: number; output: number } = { input: 0, output: 1 };

/**
 * Standard output, if it was closed when the process started: Node has opened /dev/null in its place. Only `cli/` changes
 * this.
 */
export const closed: { output: boolean } = { output: false };
