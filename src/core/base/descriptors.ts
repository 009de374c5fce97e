/**
 * Descriptors of the records. They are 0 and 1, unless the launcher of task-exec has moved them, to keep them from user
 * code. Only `cli/` changes them.
 */
export const descriptors: { input: number; output: number } = { input: 0, output: 1 };

/**
 * Standard descriptors that were closed when the process started, as the launcher found them. Node has opened /dev/null
 * in their place. Only `cli/` changes them.
 */
export const closed: { input: boolean; output: boolean } = { input: false, output: false };
