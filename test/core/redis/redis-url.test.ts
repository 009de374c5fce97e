/* Urls of Redis, and the sources of their passwords. */
import { expect, test } from 'vitest';
import { redisAddress, withPassword } from '../../../src/core/redis/redis-address.ts';

const none = { env: {} };

test('a url of sentinels has hosts, the name of the primary, and a database', () => {
  const typed = 'rediss+sentinel://me:p%40w@h1:1,h2,[::1]:3/main/2?sentinel-user=s&ca=a.pem#crawl';
  expect(redisAddress(typed, { env: { TASK_SENTINEL_PASSWORD: 'sp' } })).toMatchObject({
    ...{ host: 'h1', port: 1, db: 2, user: 'me', password: 'p@w', name: 'crawl' },
    tls: { ca: 'a.pem' },
    sentinels: {
      hosts: [
        { host: 'h1', port: 1 },
        { host: 'h2', port: 26_379 },
        { host: '::1', port: 3 },
      ],
      ...{ primary: 'main', user: 's', password: 'sp' },
    },
    place: 'rediss+sentinel://h1:1,h2,[::1]:3/main/2#crawl',
  });
});

test('a wrong url says what to type', () => {
  const said = (typed: string): string => {
    try {
      return JSON.stringify(redisAddress(typed, none));
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(said('redis+sentinel://h1,h2')).toBe(
    'redis+sentinel://h1,h2: after the sentinels comes the name of the primary, as in redis+sentinel://h1,h2/mymaster/0',
  );
  expect(said('redis+sentinel://h1/main/x')).toMatch(/the database is a number, .*HOST\/PRIMARY\/0; got "x"/);
  expect(said('redis+sentinel://h1,,h2/main')).toMatch(/^the url of a Redis is redis:/);
  expect(said('redis-sentinel://h1/main')).toMatch(/is redis\+sentinel:.*; got "redis-sentinel:/);
  expect(said('valkeys://h1/0')).toMatch(/is rediss:/);
  expect(said('redis://h/0?ca=a.pem')).toBe('redis://h/0: ca is for TLS: use rediss://h/0');
  expect(said('rediss://h/0?cert=a.pem')).toMatch(/needs both files: \?cert=FILE&key=FILE/);
  expect(said('redis://h/0?sentinel-user=a')).toMatch(
    /may stand password-file, volatile; got "sentinel-user"/,
  );
});

test('a ledger gets the passwords of the environment, unless its url has one', () => {
  const env = { TASK_REDIS_PASSWORD: 'a b', TASK_SENTINEL_PASSWORD: 's&' };
  expect(withPassword('redis://h/0#l', env)).toBe('redis://:a%20b@h/0#l');
  expect(withPassword('redis://me@h/0?volatile#l', env)).toBe('redis://me:a%20b@h/0?volatile#l');
  expect(withPassword('redis://:own@h/0#l', env)).toBe('redis://:own@h/0#l');
  expect(withPassword('redis://h/0?password-file=f#l', env)).toBe('redis://h/0?password-file=f#l');
  expect(withPassword('redis+sentinel://h,i/m#l', env)).toBe(
    'redis+sentinel://:a%20b@h,i/m?sentinel-password=s%26#l',
  );
  expect(withPassword('done.jsonl', env)).toBe('done.jsonl');
});
