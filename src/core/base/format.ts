/** Formats a whole number: `1,000,000`. `toLocaleString` would load tables for 15 ms at its first call. */
export function number(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Formats a count: `1 task`, `2,000 tasks`. */
export function counted(count: number, noun: string): string {
  return `${number(count)} ${noun}${count === 1 ? '' : 's'}`;
}

const UNITS: readonly string[] = 'bytes KB MB GB TB'.split(' ');

/** Formats a number of bytes in steps of 1024, as options take it: `512 bytes`, `1.5 MB`, `23 GB`. */
export function bytesText(count: number): string {
  let unit = 0;
  let size = count;
  for (; size >= 999.5 && unit < UNITS.length - 1; unit++) size /= 1024;
  return `${unit === 0 || size >= 9.95 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

/** Formats a limit of time as options take it, without rounding: `300 ms`, `2 s`. @param ms in milliseconds */
export function limitText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000} s` : `${ms} ms`;
}

/** Joins the lines of tasks, each with its newline. */
export function textOf(batch: readonly { readonly line: string }[]): string {
  let text = '';
  for (const { line } of batch) text += `${line}\n`;
  return text;
}
