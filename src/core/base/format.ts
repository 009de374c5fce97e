/** Formats a whole number: `1,000,000`. `toLocaleString` would load tables for 15 ms at its first call. */
export function number(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Formats a count: `1 task`, `2,000 tasks`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Joins the lines of tasks, each with its newline. */
export function textOf(batch: readonly { readonly line: string }[]): string {
  let text = '';
  for (const { line } of batch) text += `${line}\n`;
  return text;
}
