// Writes docs/terminal.svg: a real run of the pipeline that is killed and run again, as a picture of a terminal.
//
//   node scripts/terminal.mjs
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ready, root } from './ready.mjs';

const PIPELINE = 'task-load urls.csv | task-exec --http | task-save out.csv';
/**
 * Commands of the picture as a person types them, each with the command that runs instead if timing matters.
 */
const COMMANDS = [
  ['export TASK_LEDGER=done.jsonl'],
  [`${PIPELINE} &`],
  ['kill -9 %1', 'until [ "$(cat out.csv 2>&- | wc -l)" -gt 300 ]; do sleep 0.05; done; kill -9 %1; wait %1'],
  [PIPELINE],
  ['wc -l < out.csv # 1,000 rows and a header'],
];
const WIDTH = 90;
const [LINE, CHARACTER, MARGIN] = [19, 8.4, 16];

ready();
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-picture-'));
const server = spawn(process.execPath, [join(root, 'scripts/serve.mjs'), '--port', '0', '--delay', '40'], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
try {
  const [url] = await once(createInterface({ input: server.stdout }), 'line');
  const rows = Array.from({ length: 1000 }, (_, i) => `${i + 1},${url}/item/${i + 1}`);
  writeFileSync(join(folder, 'urls.csv'), `id,url\n${rows.join('\n')}\n`);
  writeFileSync(join(root, 'docs/terminal.svg'), picture(await session()));
} finally {
  server.kill();
  rmSync(folder, { recursive: true });
}

/** Runs the commands in one bash, and returns the lines that a person sees. */
async function session() {
  const script = COMMANDS.map(
    ([shown, run = shown]) => `printf '%s\\n' ${quoted(`$ ${shown}`)}\n${run}`,
  ).join('\n');
  const env = { ...process.env, PATH: `${root}bin:${process.env.PATH}`, TASK_PROGRESS: 'none' };
  const bash = spawn('bash', ['-c', `exec 2>&1; set -m # a job can be killed\n${script}`], {
    cwd: folder,
    env,
    detached: true,
  });
  let text = '';
  bash.stdout.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  await once(bash, 'close');
  return text.trimEnd().split('\n').map(readable);
}

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** Returns a line as an interactive bash shows it, without the name of the script and the processes. */
function readable(line) {
  const text = line
    .replace(/^bash: line \d+: +\d+ (\w+) +(?=\w)/, (_, state) => `[1]+  ${state.padEnd(8)}`)
    .replace(/^ +\d+ (\w+) +(?=\|)/, (_, state) => `      ${state.padEnd(8)}`);
  return text.length > WIDTH ? `${text.slice(0, WIDTH - 1)}…` : text;
}

function picture(lines) {
  const [width, height] = [WIDTH * CHARACTER + 2 * MARGIN, lines.length * LINE + 2 * MARGIN];
  const texts = lines.map((line, i) => {
    const colour = line.startsWith('$ ') ? '#7ee787' : '#c9d1d9';
    const y = MARGIN + (i + 0.75) * LINE;
    return `<text x="${MARGIN}" y="${y}" fill="${colour}">${escaped(line)}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>A pipeline of 1,000 tasks is killed and run again; the output has each row once</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14">
${texts.join('\n')}
</g>
</svg>
`;
}

/** Returns a line as XML text. Browsers merge spaces unless they are no-break spaces. */
function escaped(text) {
  const xml = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  return xml.replace(/ {2,}/g, (blanks) => '\u00a0'.repeat(blanks.length));
}
