import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { onTestFinished } from 'vitest';
import { freePort } from './port.ts';
import { freshFolder } from './run.ts';

/** Page in a headless Chromium, driven by WebDriver (https://www.w3.org/TR/webdriver2/). */
export interface Page {
  /** Runs the body of a function in the page. Returns its result, awaited if it is a promise. */
  evaluate<T>(body: string): Promise<T>;
  /** Calls the protocol of Chromium's developer tools. */
  tools(method: string, params: object): Promise<unknown>;
  /** Moves the pointer to the middle of an element. */
  point(selector: string): Promise<void>;
  /** Returns the console messages so far, including policy errors. */
  readonly console: () => Promise<string[]>;
  /** Returns the urls requested so far. */
  readonly requests: () => Promise<string[]>;
}

const ELEMENT = 'element-6066-11e4-a52e-4f735466cecf'; // key defined by the standard

/** Opens a page. The browser ends with the test. */
export async function openPage(url: string): Promise<Page> {
  // With port 0 it binds IPv4, and then the same port of IPv6, which may be in use.
  const driver = spawn('chromedriver', [`--port=${await freePort('::')}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, HOME: freshFolder() },
  });
  onTestFinished(async () => {
    driver.kill();
    if (driver.exitCode === null && driver.signalCode === null) await once(driver, 'exit');
  });
  const base = await addressOf(driver.stdout);
  const { sessionId } = (await call(`${base}/session`, {
    capabilities: {
      alwaysMatch: {
        browserName: 'chrome',
        'goog:chromeOptions': { args: ['--headless=new', '--no-sandbox', '--window-size=1180,900'] },
        'goog:loggingPrefs': { browser: 'ALL', performance: 'ALL' },
      },
    },
  })) as { sessionId: string };
  const session = `${base}/session/${sessionId}`;
  onTestFinished(() => call(session, undefined, 'DELETE').then(() => {}));
  const logOf = async (type: string): Promise<string[]> => {
    const entries = (await call(`${session}/se/log`, { type })) as { message: string }[];
    return entries.map(({ message }) => message);
  };
  await call(`${session}/url`, { url });
  return {
    evaluate: (script) => call(`${session}/execute/sync`, { script, args: [] }) as never,
    tools: (cmd, params) => call(`${session}/goog/cdp/execute`, { cmd, params }),
    async point(value) {
      const origin = await call(`${session}/element`, { using: 'css selector', value });
      const move = {
        type: 'pointerMove',
        duration: 0,
        x: 0,
        y: 0,
        origin: { [ELEMENT]: Object.values(origin as object)[0] },
      };
      await call(`${session}/actions`, { actions: [{ type: 'pointer', id: 'mouse', actions: [move] }] });
    },
    console: () => logOf('browser'),
    async requests() {
      const events = (await logOf('performance')).map((message) => JSON.parse(message).message);
      return events
        .filter(({ method }) => method === 'Network.requestWillBeSent')
        .map(({ params }) => params.request.url);
    },
  };
}

/** Returns the address of a driver, which prints it on its standard output. */
async function addressOf(output: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: output })) {
    const [, port] = /started successfully on port (\d+)/.exec(line) ?? [];
    if (port !== undefined) return `http://127.0.0.1:${port}`;
  }
  throw new Error('chromedriver ended without naming its port');
}

async function call(url: string, body: unknown, method = 'POST'): Promise<unknown> {
  const response = await fetch(url, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const { value } = (await response.json()) as { value: unknown };
  if (!response.ok) throw new Error(`${method} ${url}: ${JSON.stringify(value)}`);
  return value;
}
