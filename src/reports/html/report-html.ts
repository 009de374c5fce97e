import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Report } from '../report.ts';
import { headline } from '../summary.ts';
import { escapeHtml, markup } from './markup.ts';
import { contentOf } from './report-content.ts';

/**
 * Encodes a report as one self-contained page: its content security policy forbids all requests. Text and tables need
 * no script; the script draws the plots from JSON in the page.
 */
export async function encodeHtml(report: Report): Promise<string> {
  // The build makes both from src/web/report/; neither contains a closing tag.
  const [style, script] = await Promise.all([asset('./report-page-style.css'), asset('./report-page.js')]);
  const policy = `default-src 'none'; style-src '${hashOf(style)}'; script-src '${hashOf(script)}'`;
  // In JSON, < occurs only in strings, where the escape is equivalent; so no tag can start in the data.
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
