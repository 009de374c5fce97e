/* Units of sizes and durations, as they are typed. */

const SIZES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Returns the bytes of `500`, `64KB`, `16MB` or `1GB` (steps of 1024); undefined for an invalid size. */
export function bytes(typed: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(b|kb|mb|gb|)$/i.exec(typed.trim());
  if (match === null) return undefined;
  return Math.floor(Number(match[1]) * (SIZES[match[2]?.toLowerCase() || 'b'] as number));
}

const DURATIONS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** Returns the milliseconds of `500ms`, `1.5s`, `2m`, `4h`, `1d` or `0`; undefined for an invalid duration. */
export function milliseconds(typed: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/i.exec(typed.trim());
  if (match === null) return /^0+$/.test(typed.trim()) ? 0 : undefined;
  return Number(match[1]) * (DURATIONS[(match[2] as string).toLowerCase()] as number);
}
