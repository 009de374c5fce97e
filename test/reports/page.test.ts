/* The page of a report in a real browser. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { openPage, type Page } from '../support/browser.ts';
import { freshFolder, has, root, sh } from '../support/run.ts';

/** Text that does harm if it is used as markup or code, or sent to a terminal. */
const HOSTILE = `</script><script>document.title = 'taken'</script><img src=x onerror="document.title='taken'"> \u001b[31m \u202e &amp; <!--`;

/** Runs a module with --report over this many tasks. Returns the path of the page. */
async function reportOf(work: string, count: number, ...options: string[]): Promise<string> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), work);
  const input = Array.from({ length: count }, (_, i) => `{"uuid":"u${i}","n":${i}}\n`).join('');
  const command = `task-exec --module work.mjs --report r.html --retries 1 --backoff 1ms..2ms ${options.join(' ')}`;
  const { stderr } = await sh(`${command} > out`, { cwd, input });
  expect(stderr).toContain('task-exec: ');
  return join(cwd, 'r.html');
}

const FAILS = `export default async ({ n }) => {
  await new Promise((resolve) => setTimeout(resolve, n % 40));
  if (n % 5 === 0) throw Object.assign(new Error(${JSON.stringify(HOSTILE)}), { code: 'EVIL</script>' + (n % 3) });
  if (n % 7 === 0) throw Object.assign(new Error('busy'), { code: 'BUSY', retry: true });
};`;

/** Returns the number of opaque pixels of each plot, and of their colours. */
function drawn(page: Page): Promise<Record<string, { pixels: number; colours: number }>> {
  return page.evaluate(`
    return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))).then(() =>
      Object.fromEntries([...document.querySelectorAll('.plot')].map((plot) => {
        const canvas = plot.querySelector('canvas');
        if (canvas === null) return [plot.id, { pixels: 0, colours: 0 }];
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        const colours = new Set();
        let pixels = 0;
        for (let i = 0; i < data.length; i += 4) {
          if (data[i + 3] < 255) continue;
          pixels++;
          colours.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
        }
        return [plot.id, { pixels, colours: colours.size }];
      })));`);
}

test('the page draws its plots, makes no requests, and shows hostile names as text', async (context) => {
  if (!(await has('chromium')) || !(await has('chromedriver'))) context.skip('chromium is not installed');
  const path = await reportOf(FAILS, 500);
  const page = await openPage(pathToFileURL(path).href);
  const plots = await drawn(page);
  expect(Object.keys(plots).sort()).toEqual(['causes', 'latency', 'throughput']);
  for (const [id, { pixels, colours }] of Object.entries(plots)) {
    expect([id, pixels > 2000]).toEqual([id, true]);
    expect([id, colours >= 3]).toEqual([id, true]);
  }
  expect(await page.console()).toEqual([]);
  expect(await page.requests()).toEqual([pathToFileURL(path).href]);
  expect(await page.evaluate('return document.title')).toMatch(/^\d+ done, \d+ failed · task-exec \d/);
  expect(
    await page.evaluate('return document.images.length + document.querySelectorAll("script").length'),
  ).toBe(2);
  const causes = await page.evaluate<string>('return document.querySelector("#causes ~ .wide").innerText');
  expect(causes).toContain('EVIL</script>0');
  expect(causes).toContain(HOSTILE.replace('\u001b', '\\x1b').replace('\u202e', '\\u202e').slice(0, 60));
  // Pointing at a bar shows its values in words.
  await page.point('#latency .u-over');
  expect(await page.evaluate('return document.getElementById("latency-readout").textContent')).toMatch(
    /^\d+ ms to \d+ ms: \d+ done, \d+ failed$/,
  );
});

test('the page draws the hosts, whatever their names, and folds away all but the first', async (context) => {
  if (!(await has('chromium')) || !(await has('chromedriver'))) context.skip('chromium is not installed');
  const script = `
    import { exec, Task, writeReport } from 'taskpipe';
    const hostOf = ({ uuid }) => Number(uuid) % 30 === 0 ? process.argv[2] : 'https://h' + (Number(uuid) % 30);
    const executor = {
      lane: hostOf,
      attempt: ({ uuid }) => Number(uuid) % 4 ? {} : { error: { code: 'C' + (Number(uuid) % 9), message: 'm' } },
      close: async () => {},
    };
    async function* tasks() {
      yield Array.from({ length: 3000 }, (_, i) => new Task(String(i), JSON.stringify({ uuid: String(i) })));
    }
    const run = exec(executor)(tasks());
    for await (const batch of run);
    await writeReport(process.argv[1], run.report());`;
  const path = join(freshFolder(), 'r.html');
  execFileSync(process.execPath, ['--input-type=module', '-e', script, path, HOSTILE], { cwd: root });
  const page = await openPage(pathToFileURL(path).href);
  const { hosts } = await drawn(page);
  expect([(hosts?.pixels ?? 0) > 10_000, (hosts?.colours ?? 0) >= 7]).toEqual([true, true]);
  expect([await page.console(), await page.evaluate('return document.title')]).toEqual([
    [],
    expect.stringMatching(/^2,250 done, 750 failed · taskpipe$/),
  ]);
  const rows = (open: string): Promise<number> =>
    page.evaluate(`return [...document.querySelectorAll('#hosts ~ ${open} tbody tr')].length`);
  expect([await rows('.wide'), await rows('details')]).toEqual([20, 5 + 20]);
  expect(await page.evaluate('return document.querySelector("#hosts ~ h3 ~ .wide").innerText')).toContain(
    '<img src=x',
  );
});

test('the page is redrawn for dark mode and print, and lists the causes without a script', async (context) => {
  if (!(await has('chromium')) || !(await has('chromedriver'))) context.skip('chromium is not installed');
  const path = await reportOf(FAILS, 60);
  const page = await openPage(pathToFileURL(path).href);
  const ink = 'getComputedStyle(document.body).color';
  const orange = (): Promise<number[]> =>
    page.evaluate(`
      return new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))).then(() => {
        const canvas = document.querySelector('#causes canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        for (let i = 0; i < data.length; i += 4) if (data[i] > 200 && data[i + 2] < 100 && data[i + 3] === 255) return [...data.slice(i, i + 3)];
        return [];
      });`);
  const light = [await page.evaluate(`return ${ink}`), await orange()];
  await page.tools('Emulation.setEmulatedMedia', {
    features: [{ name: 'prefers-color-scheme', value: 'dark' }],
  });
  const dark = [await page.evaluate(`return ${ink}`), await orange()];
  await page.evaluate('dispatchEvent(new Event("beforeprint"))');
  const paper = [await page.evaluate(`return ${ink}`), await orange()];
  expect(light).toEqual(['rgb(28, 36, 48)', [217, 72, 15]]);
  expect(dark).toEqual(['rgb(230, 234, 240)', [255, 122, 69]]);
  expect(paper).toEqual(light);
  const still = readFileSync(path, 'utf8').replace(/<script>.*<\/script>/s, '');
  expect(still).toContain('<th scope="row"><code>BUSY</code></th>');
});

test('the page of a run without tasks says so, and that of one task has its plots', async (context) => {
  if (!(await has('chromium')) || !(await has('chromedriver'))) context.skip('chromium is not installed');
  const work = 'export default () => 1;';
  const empty = await openPage(pathToFileURL(await reportOf(work, 0)).href);
  expect(await empty.evaluate('return document.querySelector("main").innerText')).toContain(
    'No task ended in this run.',
  );
  expect([await empty.console(), await drawn(empty)]).toEqual([[], {}]);
  const one = await openPage(pathToFileURL(await reportOf(work, 1)).href);
  const { throughput, latency } = await drawn(one);
  expect([(throughput?.pixels ?? 0) > 2000, (latency?.pixels ?? 0) > 2000]).toEqual([true, true]);
  expect(await one.console()).toEqual([]);
});
