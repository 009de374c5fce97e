/** A message about changes. */
export interface News {
  readonly counts: Readonly<Record<string, number>>;
  readonly changes: readonly { readonly task_id: string; readonly status: string }[];
}

/** Members of a task that lists and the drawer show. */
export interface ShownTask {
  readonly task_id: string;
  readonly status: string;
  readonly submitted: string;
  readonly started: string | null;
  readonly finished: string | null;
  readonly attempts: number | null;
  readonly ms: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** States in the order of their life. */
export const STATES = [
  'PENDING',
  'RUNNING',
  'SUCCESS',
  'FAILURE',
  'REVERTED',
  'REVERT_FAILURE',
  'CANCELLED',
] as const;
