/** A whole number for a person: `1,000,000`. Not by `toLocaleString`, whose first call loads tables for 15 ms. */
export function number(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A count with what is counted: `1 task`, `2,000 tasks`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** The lines of tasks, each with its newline. */
export function textOf(batch: readonly { readonly line: string }[]): string {
  let text = '';
  for (const { line } of batch) text += `${line}\n`;
  return text;
}
