import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { contentOf } from './content.ts';
import { escapeHtml, markup } from './markup.ts';
import type { Report } from './report.ts';
import { headline } from './summary.ts';

/**
 * A report as one page that has all it takes: it asks nobody for anything, and its own policy forbids it to. Its words
 * and tables need no script; the script draws the plots, of the data that the page has as JSON.
 */
export async function encodeHtml(report: Report): Promise<string> {
  // Both are made by the build, of src/reports/page/; they end no element that they stand in.
  const [style, script] = await Promise.all([asset('./report-page-style.css'), asset('./report-page.js')]);
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'`;
  // In JSON, a < stands only in strings, where this is the same; no element can so begin or end in it.
  const data = JSON.stringify(report).replaceAll('<', '\\u003c');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${escapeHtml(policy)}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${markup`${headline(report)} · ${report.program ?? 'taskpipe'}`}</title>
<style>${style}</style>
</head>
<body>
${contentOf(report)}
<script type="application/json" id="report">${data}</script>
<script>${script}</script>
</body>
</html>
`;
}

function asset(name: string): Promise<string> {
  return readFile(new URL(name, import.meta.url), 'utf8');
}

function hashOf(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
