import robotsParser from 'robots-parser';
import { describe, expect, test } from 'vitest';
import { parseRobots, productOf } from '../../../../src/executors/http/robots/robots-rules.ts';

/** Case: the lines of a robots.txt, a product, a path, and whether it may be fetched. */
type Case = readonly [lines: string, product: string, path: string, isAllowed: boolean];

const isAllowed = (lines: string, product: string, path: string): boolean =>
  parseRobots(lines.replaceAll('|', '\n')).refusal(path, product) === undefined;

/** Cases of RFC 9309, by their sections. */
const RFC: readonly Case[] = [
  // 2.2.1: groups of one product are merged, the group of * is for all others
  [
    'user-agent: ExampleBot|disallow: /foo|disallow: /bar||user-agent: ExampleBot|disallow: /baz',
    'examplebot',
    '/baz',
    false,
  ],
  ['user-agent: a|user-agent: b|disallow: /x||user-agent: *|disallow: /y', 'b', '/x', false],
  ['user-agent: a|user-agent: b|disallow: /x||user-agent: *|disallow: /y', 'b', '/y', true],
  ['user-agent: a|user-agent: b|disallow: /x||user-agent: *|disallow: /y', 'c', '/y', false],
  ['user-agent: a|disallow: /', 'c', '/y', true],
  ['disallow: /|user-agent: a|allow: /', 'a', '/y', true],
  ['', 'a', '/y', true],
  ['user-agent: EXAMPLEbot|disallow: /', 'examplebot', '/', false],
  // 2.2.2: the longest match counts, and Allow if both are as long
  [
    'user-agent: *|allow: /example/page/|disallow: /example/page/disallowed.gif',
    'a',
    '/example/page/disallowed.gif',
    false,
  ],
  [
    'user-agent: *|allow: /example/page/|disallow: /example/page/disallowed.gif',
    'a',
    '/example/page/x',
    true,
  ],
  ['user-agent: *|disallow: /x|allow: /x', 'a', '/x', true],
  ['user-agent: *|disallow: /robots.txt|disallow: /', 'a', '/robots.txt', true],
  ['user-agent: *|disallow:', 'a', '/x', true],
  ['user-agent: *|disallow: /X', 'a', '/x', true],
  // 2.2.2: escapes
  ['user-agent: *|disallow: /foo/bar?baz=quz', 'a', '/foo/bar?baz=quz', false],
  ['user-agent: *|disallow: /foo/bar?baz=https://foo.bar', 'a', '/foo/bar?baz=https://foo.bar', false],
  ['user-agent: *|disallow: /foo/bar/ツ', 'a', '/foo/bar/%E3%83%84', false],
  ['user-agent: *|disallow: /foo/bar/%e3%83%84', 'a', '/foo/bar/%E3%83%84', false],
  ['user-agent: *|disallow: /foo/bar/%62%61%7A', 'a', '/foo/bar/baz', false],
  ['user-agent: *|disallow: /foo/bar/baz', 'a', '/foo/bar/%62%61%7A', false],
  // 2.2.3: special characters
  ['user-agent: *|disallow: /x # comment', 'a', '/x', false],
  ['user-agent: *|allow: /this/path/exactly$|disallow: /', 'a', '/this/path/exactly', true],
  ['user-agent: *|allow: /this/path/exactly$|disallow: /', 'a', '/this/path/exactly/x', false],
  ['user-agent: *|disallow: /this/*/exactly', 'a', '/this/path/exactly', false],
  ['user-agent: *|disallow: /path/file-with-a-%2A.html', 'a', '/path/file-with-a-*.html', false],
  ['user-agent: *|disallow: /path/file-with-a-%2A.html', 'a', '/path/file-with-a-b.html', true],
  ['user-agent: *|disallow: /path/foo-%24', 'a', '/path/foo-$', false],
  ['user-agent: *|disallow: /a$b', 'a', '/a$b', false],
  // 2.2.4: other records do not end a group
  ['user-agent: a|sitemap: https://h/s.xml|user-agent: b|disallow: /', 'a', '/x', false],
  ['user-agent: a|unknown: 1|user-agent: b|disallow: /', 'a', '/x', false],
];

/** Cases of Google's parser. */
const GOOGLE: readonly Case[] = [
  ['user-agent: FooBot|disallow: /', 'foobot', '/x/y', false],
  ['foo: FooBot|bar: /', 'foobot', '/x/y', true],
  ['user-agent FooBot|disallow /', 'foobot', '/x/y', false],
  ['USER-AGENT: FooBot|DISALLOW: /x/', 'foobot', '/x/y', false],
  ['user-agent: FooBot|disallow: /|allow: /x/', 'foobot', '/a/b', false],
  [
    'allow: /foo/bar/||user-agent: FooBot|disallow: /|allow: /x/||user-agent: BarBot|disallow: /|allow: /a/|',
    'foobot',
    '/x/b',
    true,
  ],
  ['user-agent: FooBot/2.1|disallow: /', 'foobot', '/x', false],
  ['user-agent: FooBot Images|disallow: /', 'foobot', '/x', false],
  ['user-agent: * baz|disallow: /', 'foobot', '/x', false],
  ['user-agent: *|allow: /|user-agent: FooBot|disallow: /', 'foobot', '/x', false],
  ['user-agent: FooBot|allow: /|user-agent: *|disallow: /', 'foobot', '/x', true],
  ['user-agent: FooBot|user-agent: BarBot|disallow: /|allow: /x', 'barbot', '/x', true],
  ['user-agent: FooBot|disallow: /x/page.html|allow: /x/', 'foobot', '/x/page.html', false],
  ['user-agent: FooBot|disallow: /*.html|allow: /x/page.html', 'foobot', '/x/page.html', true],
  ['user-agent: FooBot|disallow: foo', 'foobot', '/foo', true],
  ['user-agent: FooBot|disallow: /$', 'foobot', '/', false],
  ['user-agent: FooBot|disallow: /$', 'foobot', '/x', true],
  ['user-agent: FooBot|disallow: *x', 'foobot', '/a/x', false],
  ['\ufeffuser-agent: FooBot|disallow: /', 'foobot', '/x', false],
  ['user-agent: FooBot|dissalow: /x', 'foobot', '/x', false],
  ['useragent: FooBot|disallow: /x', 'foobot', '/x', false],
  ['user-agent: FooBot\r|disallow: /x\r', 'foobot', '/x', false],
  ["user-agent: FooBot|disallow: /x?a='b'", 'foobot', '/x?a=%27b%27', false],
  // https://github.com/scrapy/scrapy/issues/4145
  ['user-agent: *|disallow: http://other/|user-agent: twitterbot|disallow:', 'foobot', '/x', true],
  ['user-agent: FooBot|disallow: /a[b]', 'foobot', '/a[b]', false],
];

describe('a robots.txt is read', () => {
  test.each(RFC)('by RFC 9309: %j for %s, %s: %s', (lines, product, path, expected) => {
    expect(isAllowed(lines, product, path)).toBe(expected);
  });

  test.each(GOOGLE)('as by the parser of Google: %j for %s, %s: %s', (lines, product, path, expected) => {
    expect(isAllowed(lines, product, path)).toBe(expected);
  });

  test('correctly even if robots-parser alone is wrong', () => {
    const parse = robotsParser as unknown as (
      url: string,
      text: string,
    ) => { isAllowed(url: string, ua: string): boolean };
    const wrong = [...RFC, ...GOOGLE].filter(([lines, product, path, expected]) => {
      if (path === '/robots.txt') return false; // for the caller
      const robots = parse('http://h/robots.txt', lines.replaceAll('|', '\n'));
      return robots.isAllowed(`http://h${path}`, product) !== expected;
    });
    expect(wrong).toHaveLength(13); // escapes, groups with other lines, products with more words, misspellings
  });

  test('in linear time, whatever its patterns are', () => {
    const rules = parseRobots(`user-agent: *\n${'disallow: /*a*a*a*a*a*a*a*a*a*b\n'.repeat(200)}`);
    const began = performance.now();
    expect(rules.refusal(`/${'a'.repeat(1000)}`, 'x')).toBeUndefined();
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('with its delay in seconds, and the number of the line that disallows', () => {
    const rules = parseRobots('# by hand\n\nuser-agent: *\ncrawl-delay: 1.5\ndisallow: /x\n');
    expect([rules.delay('a'), rules.refusal('/x', 'a')]).toEqual([1500, 5]);
    expect(parseRobots('user-agent: *\ncrawl-delay: soon').delay('a')).toBe(0);
  });
});

test.each([
  ['taskpipe/0.1.0', 'taskpipe'],
  ['Mozilla/5.0 (compatible; MyBot/1.0)', 'mozilla'],
  ['My-Bot_x 2', 'my-bot_x'],
  ['', '*'],
])('the product of %j is %s', (header, product) => {
  expect(productOf(header)).toBe(product);
});
