import type { Report } from './report.ts';

/** Encodes a report as indented JSON; lists of numbers stay on one line. */
export function encodeJson(report: Report): string {
  const lines = JSON.stringify(report, null, 2);
  return `${lines.replace(/\[\n\s*-?\d[\d\s.,e+-]*\]/g, (list) => list.replace(/\s+/g, ''))}\n`;
}
