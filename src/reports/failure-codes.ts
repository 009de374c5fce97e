import type { Failure } from '../core/record/task.ts';

/** Code under which further causes are counted together. */
export const OTHER = 'OTHER';

/** Returns the cause that a failure is counted under: its code, with the status for a failure of HTTP. */
export function causeCode({ code, message }: Failure): string {
  const [status] = code === 'HTTP_STATUS' ? (/^\d{3}(?!\S)/.exec(message) ?? []) : [];
  return status === undefined ? code : `${code} ${status}`;
}

/** Increments the count of a code, or of `OTHER` if there are `most` codes already. */
export function addTo(counts: Map<string, number>, code: string, most: number): void {
  const counted = counts.has(code) || counts.size < most ? code : OTHER;
  counts.set(counted, (counts.get(counted) ?? 0) + 1);
}

/** Truncates text to a length, without lone surrogates. */
export function clipped(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text.toWellFormed();
}

/** Copies text: a substring would keep the whole string in memory. */
export function detached(text: string): string {
  return Buffer.from(text).toString();
}
