import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openPage, type Page } from '../support/browser.ts';
import { freshFolder, has } from '../support/run.ts';
import { ask, serve, submit, until } from './service.ts';

const WORK = `export default async (task, { logger }) => {
  logger.info('on <b>%s</b>', task.n);
  if (task.bad) throw Object.assign(new Error('<img src=x onerror=alert(1)>'), { code: 'BOOM' });
  for (let i = 0; task.wait; i++) {
    logger.info('step %d', i);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { twice: task.n * 2, markup: '<script>document.title = "no"</script>' };
};
`;

/** Opens the page of a service with three tasks: one that succeeded, one that failed, one that runs. */
async function opened(words: readonly string[] = []): Promise<{
  readonly url: string;
  readonly ids: Readonly<Record<'good' | 'bad' | 'running', string>>;
  readonly page: Page;
  /** Waits until an expression of the page is true. */
  shows(script: string): Promise<void>;
}> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), WORK);
  const exec = 'task-exec --module work.mjs --quiet --retries 0 --grace 0s';
  const { url } = await serve(cwd, ['--port', '0', '--exec', exec, '--log-dir', 'logs', ...words]);
  const idOf = async (data: unknown): Promise<string> => (await submit(url, data)).body.data.task_id;
  const good = await idOf('{"data":{"n":7,"big":12345678901234567890}}');
  const bad = await idOf({ bad: true, word: 'findme' });
  const running = await idOf({ n: 8, wait: true });
  await until(
    `${url}/tasks`,
    ({ body }) =>
      body.data.counts.FAILURE === 1 && body.data.counts.SUCCESS === 1 && body.data.counts.RUNNING === 1,
  );
  const page = await openPage(`${new URL(url).origin}/`);
  const shows = async (script: string): Promise<void> => {
    while (!(await page.evaluate<boolean>(`return Boolean(${script})`)))
      await new Promise((resolve) => setTimeout(resolve, 50));
  };
  return { url, ids: { good, bad, running }, page, shows };
}

const text = (selector: string): string =>
  `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '')`;
const rows = "document.querySelectorAll('tbody tr').length";
const click = (selector: string, words: string): string =>
  `[...document.querySelectorAll('${selector}')].find((one) => one.textContent.startsWith('${words}')).click()`;

describe.skipIf(!(await has('chromedriver')))('the page (needs chromedriver)', { timeout: 120_000 }, () => {
  test('lists tasks with data, duration and error, follows changes, filters, and contacts no other host', async () => {
    const { url, page, shows } = await opened();
    await shows(`${text('.counts')}.includes('SUCCESS 1') && ${text('.counts')}.includes('FAILURE 1')`);
    await shows(`${rows} === 3 && document.querySelectorAll('figure canvas').length === 2`);
    const list = await page.evaluate<string>(`return ${text('tbody')}`);
    expect(list).toContain('{"n":7,"big":12345678901234567890}');
    expect(list).toContain('BOOM: <img src=x onerror=alert(1)>');
    expect(list).toMatch(/\d+ m?s/);
    await submit(url, { n: 9 });
    await shows(`${text('.counts')}.includes('SUCCESS 2') && ${rows} === 4`);
    for (const [state, count] of [
      ['RUNNING', 1],
      ['SUCCESS', 2],
    ] as const) {
      await page.evaluate(click('.count', state));
      await shows(`${rows} === ${count} && ${text('tbody .state')} === '${state}'`);
    }
    await page.evaluate(
      `document.querySelector('select').value = ''; document.querySelector('select').dispatchEvent(new Event('change'))`,
    );
    await page.evaluate(
      `const box = document.querySelector('input[type=search]'); box.value = 'findme'; box.dispatchEvent(new Event('input'))`,
    );
    await shows(`${rows} === 1 && ${text('tbody')}.includes('FAILURE')`);
    expect(await page.evaluate('return document.title')).toBe('task-serve /api');
    const { origin } = new URL(url);
    expect([...new Set((await page.requests()).map((asked) => new URL(asked).origin))]).toEqual([origin]);
    expect(await page.console()).toEqual([]);
  });

  test('shows a task in a drawer that has a link, with stack and log, follows the log, and asks before it forgets', async () => {
    const { url, ids, page, shows } = await opened();
    await shows(`${rows} === 3`);
    await page.evaluate(`location.hash = 'task=${ids.good}'`);
    await shows(`${text('.drawer')}.includes('"twice": 14') && ${text('.log')}.includes('INFO on <b>7</b>')`);
    const shown = await page.evaluate<string>(`return ${text('.drawer')}`);
    for (const words of ['<script>', '12345678901234567', 'Attempts', 'SUCCESS'])
      expect(shown).toContain(words);
    const before = (await ask(`${url}?task_id=${ids.good}`)).body.data.finished;
    await page.evaluate(click('.orders button', 'Run again'));
    await until(
      `${url}?task_id=${ids.good}`,
      ({ body }) => body.data.finished !== null && body.data.finished !== before,
    );
    await page.evaluate(`location.hash = 'task=${ids.bad}'`);
    await shows(`${text('.drawer .error')}.includes('onerror') && ${text('.drawer')}.includes('work.mjs:')`);
    await page.evaluate(`location.hash = 'task=${ids.running}'`);
    await shows(`${text('.log')}.includes('step 2')`);
    await page.evaluate(
      'window.confirm = (question) => { window.asked = question; return window.answer === true; }',
    );
    await page.evaluate(`location.hash = 'task=${ids.good}'`);
    await shows(`${text('.drawer')}.includes('"twice": 14')`);
    await page.evaluate(click('.orders button', 'Forget'));
    await shows('(window.asked ?? "").includes("Delete task")');
    expect((await ask(`${url}?task_id=${ids.good}`)).code).toBe(200);
    await page.evaluate(`window.answer = true; ${click('.orders button', 'Forget')}`);
    await until(`${url}?task_id=${ids.good}`, ({ code }) => code === 404);
    await shows(`document.querySelector('.drawer').hidden && ${rows} === 2`);
  });

  test('fits a screen of 390 pixels without sideways scrolling, and has a dark and a light theme', async () => {
    const { url, ids, page, shows } = await opened();
    await page.tools('Emulation.setDeviceMetricsOverride', {
      width: 390,
      height: 844,
      deviceScaleFactor: 1,
      mobile: true,
    });
    // The browser lays out the page again in its next frame.
    const fits = 'document.documentElement.scrollWidth === 390';
    await shows(`${rows} === 3 && ${fits}`);
    const cut = `const input = document.querySelector('.filters input');
      const { font, fontSize, paddingLeft, paddingRight } = getComputedStyle(input);
      const pen = Object.assign(document.createElement('canvas').getContext('2d'), { font });
      const button = parseFloat(fontSize); // the browser keeps room for the button that clears the text
      const room = input.clientWidth - parseFloat(paddingLeft) - parseFloat(paddingRight) - button;
      return pen.measureText(input.placeholder).width > room;`;
    expect(await page.evaluate(cut), 'the hint of the search is cut').toBe(false);
    await page.evaluate(`location.hash = 'task=${ids.bad}'`);
    await shows(`${text('.drawer .error')} !== '' && ${fits}`);
    const colours = new Set<string>();
    for (const value of ['dark', 'light']) {
      await page.tools('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value }] });
      colours.add(await page.evaluate('return getComputedStyle(document.body).backgroundColor'));
    }
    expect(colours.size).toBe(2);
    const docs = await openPage(`${url}/docs`);
    const words = async (): Promise<string> => docs.evaluate('return document.body.innerText');
    while (!(await words()).includes('POST /api/batch'))
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await words()).toContain(
      `curl -X POST -H 'Content-Type: application/json' --data-binary '{"data":{"n":21}}' '${url}'`,
    );
    expect(await words()).toContain('"twice": 42');
    expect(await docs.console()).toEqual([]);
  });

  test('has the charts of the last hour at once, also after a restart', async () => {
    const { url } = await opened();
    const { body } = await ask(`${url}/history`);
    const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
    expect([
      body.data.finished.length * body.data.step,
      sum(body.data.finished),
      sum(body.data.failed),
    ]).toEqual([3600, 2, 1]);
    expect(body.data.median_ms.some((one: number | null) => one !== null)).toBe(true);
  });
});
