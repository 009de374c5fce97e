/** Code under which further causes are counted together. */
export const OTHER = 'OTHER';

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
