import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openPage } from '../support/browser.ts';
import { freshFolder, has } from '../support/run.ts';
import { ask, serve, submit, until } from './service.ts';

const WORK = `export default async (task, { logger }) => {
  logger.info('on <b>%s</b>', task.n);
  if (task.bad) throw new Error('<img src=x onerror=alert(1)>');
  return { twice: task.n * 2, markup: '<script>document.title = "no"</script>' };
};
`;

test.skipIf(!(await has('chromedriver')))(
  'the page shows counts, plots, the list and a task, runs a task again, and contacts no other host (needs chromedriver)',
  async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), WORK);
    const exec = 'task-exec --module work.mjs --quiet --retries 0';
    const { url } = await serve(cwd, ['--port', '0', '--exec', exec, '--log-dir', 'logs']);
    const { origin } = new URL(url);
    const one = await submit(url, '{"data":{"n":7,"big":12345678901234567890}}');
    await submit(url, { bad: true, word: 'findme' });
    await until(
      `${url}/tasks`,
      ({ body }) => body.data.counts.FAILURE === 1 && body.data.counts.SUCCESS === 1,
    );
    const page = await openPage(`${origin}/`);
    const shows = async (script: string): Promise<void> => {
      while (!(await page.evaluate<boolean>(`return Boolean(${script})`)))
        await new Promise((resolve) => setTimeout(resolve, 50));
    };
    const text = (selector: string): string =>
      `(document.querySelector(${JSON.stringify(selector)})?.innerText ?? '')`;
    await shows(`${text('.counts')}.includes('SUCCESS 1') && ${text('.counts')}.includes('FAILURE 1')`);
    await shows(`document.querySelectorAll('tbody tr').length === 2`);
    await shows(`document.querySelectorAll('figure canvas').length === 2`);

    // The page shows new tasks without a reload.
    await submit(url, { n: 8 });
    await shows(`${text('.counts')}.includes('SUCCESS 2')`);
    await shows(`document.querySelectorAll('tbody tr').length === 3`);

    const id = one.body.data.task_id as string;
    const open = (uuid: string): Promise<void> =>
      page.evaluate(
        `[...document.querySelectorAll('button.link')].find((b) => b.textContent === '${uuid}').click()`,
      );
    await open(id);
    await shows(`${text('.task')}.includes('"twice": 14')`);
    const shown = await page.evaluate<string>(`return ${text('.task')}`);
    expect(shown).toContain('<script>');
    expect(shown).toContain('12345678901234567');
    expect(shown).toContain('INFO on <b>7</b>');
    const before = (await ask(`${url}?task_id=${id}`)).body.data.finished;
    await page.evaluate(
      `[...document.querySelectorAll('.orders button')].find((b) => b.textContent === 'Run again').click()`,
    );
    await until(
      `${url}?task_id=${id}`,
      ({ body }) => body.data.finished !== null && body.data.finished !== before,
    );

    await shows(`${text('.task')}.includes('SUCCESS submitted')`);
    await page.evaluate(
      `const box = document.querySelector('input[type=search]'); box.value = 'findme'; box.dispatchEvent(new Event('input'))`,
    );
    await shows(`document.querySelectorAll('tbody tr').length === 1 && ${text('tbody')}.includes('FAILURE')`);
    await page.evaluate(`document.querySelector('button.link').click()`);
    await shows(`${text('.task .error')}.includes('onerror')`);

    expect(await page.evaluate('return document.title')).toBe('task-serve /api');
    const hosts = new Set((await page.requests()).map((asked) => new URL(asked).origin));
    expect([...hosts]).toEqual([origin]);
    expect((await page.console()).filter((line) => !line.includes('favicon'))).toEqual([]);
    if (process.env.SCREENSHOT) {
      const { data } = (await page.tools('Page.captureScreenshot', {})) as { data: string };
      writeFileSync(process.env.SCREENSHOT, data, 'base64');
    }

    const docs = await openPage(`${url}/docs`);
    while (!(await docs.evaluate<string>('return document.body.innerText')).includes('POST /api/batch'))
      await new Promise((resolve) => setTimeout(resolve, 50));
    expect((await docs.console()).filter((line) => !line.includes('favicon'))).toEqual([]);
  },
  120_000,
);
