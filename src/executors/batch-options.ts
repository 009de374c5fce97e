import { choice, count, duration, size, text } from '../core/options/declare.ts';

/** Default of `--batch-wait`, in milliseconds. */
export const BATCH_WAIT = 1000;

/** Default of `--batch-bytes`. */
export const BATCH_BYTES: number = 1024 * 1024;

/** Options of batches: calls for several tasks. */
export const batchOptions = {
  /** Maximum number of tasks of one call. Default: each call is for one task. */
  batch: count('give up to N tasks to each call; every task keeps its own record and result', {
    details:
      'The number of calls at once is then -j, and --rate, --host-rate, --delay and --per-host count calls. Retries, --max-failures and --halt count tasks.',
  }),
  /** Longest time that a batch waits for more tasks, in milliseconds. Default 1 s. */
  batchWait: duration('how long a batch waits for more tasks; the end of input ends the wait', {
    defaultText: '1s',
    details: 'With 0, a batch has the tasks that have arrived together.',
  }),
  /** Maximum size of the records of one batch, in bytes. A larger record is sent alone. Default 1 MiB. */
  batchBytes: size('most bytes of records in one batch', { defaultText: '1MB' }),
  /** Attribute that has the same value in all tasks of a batch. Default: none. */
  batchBy: text('put only tasks with the same value of this attribute into one batch', {
    placeholder: 'NAME',
  }),
  /**
   * Failures of a whole batch after which its tasks are called again in halves, to find the task at fault: `auto`
   * (failures that one task may have caused), `always`, or `never`. Default `auto`.
   */
  batchSplit: choice(
    'when a batch fails as a whole: call its tasks again in halves, until the task at fault is alone',
    ['auto', 'always', 'never'],
    {
      defaultText: 'auto',
      details:
        'With auto, a failure that may pass is retried first, and halved after the last retry as long as one of two halves succeeds. If nothing succeeds at all, halving ends at the first task alone. A call that may have done its work, such as one whose answer does not match its tasks, is not repeated; always repeats these too.',
    },
  ),
};

/** Names of the options of batches. */
export const BATCH_OPTIONS: readonly string[] = Object.keys(batchOptions);
