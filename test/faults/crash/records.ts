/** Returns the non-empty lines of NDJSON. */
export function linesOf(text: string): string[] {
  return text.split('\n').filter((line) => line !== '');
}

export function uuidsOf(lines: readonly string[]): string[] {
  return lines.map((line) => (JSON.parse(line) as { uuid: string }).uuid);
}

export function isFailed(line: string): boolean {
  return line.includes('"FAILURE"');
}
