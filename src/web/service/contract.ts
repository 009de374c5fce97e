/** A message about changes. */
export interface News {
  readonly counts: Readonly<Record<string, number>>;
  readonly changes: readonly { readonly task_id: string; readonly status: string }[];
}
