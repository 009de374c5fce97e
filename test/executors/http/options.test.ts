import { describe, expect, test } from 'vitest';
import { type Option, parseOption } from '../../../src/core/options/option.ts';
import { fromValues, httpOptions } from '../../../src/executors/http/index.ts';
import { open } from './support.ts';

function parse(name: keyof typeof httpOptions, typed: string): unknown {
  return parseOption(httpOptions[name] as Option<unknown>, typed, `--${name}`);
}

describe('the options of --http', () => {
  test.each([
    ['url', 'https://h/{id', 'pair of braces'],
    ['method', 'fetch', 'one of get, post'],
    ['follow', '-1', 'whole number'],
    ['expectStatus', '2', 'statuses'],
    ['expectBody', 'ready', 'between slashes'],
    ['expectBody', '/(/', 'regular expression'],
    ['body', 'html', 'one of auto'],
    ['maxBody', 'big', 'size'],
    ['hostErrors', '0', 'at least 1'],
  ] as const)('reject --%s %s', (name, typed, words) => {
    expect(() => parse(name, typed)).toThrow(expect.objectContaining({ code: 'USAGE' }));
    expect(() => parse(name, typed)).toThrow(words);
  });

  test('are parsed to the values that the executor takes', () => {
    expect(parse('method', 'JSON')).toBe('json');
    expect(parse('expectBody', '/a\\/b/gi')).toEqual(/a\/b/i);
    expect(parse('maxBody', '64KB')).toBe(65_536);
    expect(parse('url', 'https://h/{id}')).toBe('https://h/{id}');
  });

  test('keep their defaults if each is given its fallback', async () => {
    const fallbacks = Object.fromEntries(
      Object.entries(httpOptions).map(([name, { defaultValue }]) => [name, defaultValue]),
    );
    const said: string[] = [];
    const setting = {
      timeout: 1000,
      env: {},
      version: '1.2.3',
      print: (line: string) => said.push(line),
      info: () => {},
    };
    const options = fromValues(fallbacks as never, setting);
    expect(options).toMatchObject({
      follow: 5,
      expectStatus: '2xx',
      body: 'auto',
      maxBody: undefined, // the default depends on where bodies go
      timeout: 1000,
    });
    expect(options.printCurl).toBeUndefined();
    await open(options);
    fromValues({ ...fallbacks, printCurl: true } as never, setting).printCurl?.('curl');
    expect(said).toEqual(['curl']);
  });

  test('are also validated for callers of the library', async () => {
    await expect(open({ method: 'fetch' })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(open({ url: '{' })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(open({ body: 'html' as never })).rejects.toMatchObject({ code: 'USAGE' });
    await expect(open({ proxy: 'socks4://h' })).rejects.toMatchObject({ code: 'USAGE' });
  });
});
