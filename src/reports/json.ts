import type { Report } from './report.ts';

/** A report as JSON, in lines for a person to read; lists of numbers stay on theirs. */
export function encodeJson(report: Report): string {
  const lines = JSON.stringify(report, null, 2);
  return `${lines.replace(/\[\n\s*-?\d[\d\s.,e+-]*\]/g, (list) => list.replace(/\s+/g, ''))}\n`;
}
