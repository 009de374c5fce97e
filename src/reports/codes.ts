/** What stands for all codes beyond those that are counted one by one. */
export const OTHER = 'OTHER';

/** Adds one to a code, or to `OTHER` where there are `most` codes already. */
export function addTo(counts: Map<string, number>, code: string, most: number): void {
  const counted = counts.has(code) || counts.size < most ? code : OTHER;
  counts.set(counted, (counts.get(counted) ?? 0) + 1);
}

/** Text of bounded length, without halves of surrogate pairs. */
export function clipped(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length).toWellFormed()}…` : text.toWellFormed();
}

/** The same text, which keeps nothing alive: a piece of a string holds on to all of it. */
export function detached(text: string): string {
  return Buffer.from(text).toString();
}
