/* The language of the project: CONTRIBUTING.md has the rules. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/run.ts';

/** Phrases that plain technical English does without, each with what to write in place of it. */
const BANNED: readonly (readonly [RegExp, string])[] = [
  [/\b([Nn]obody|[Ss]omebody|[Aa]nybody|[Ww]hoever)\b/, 'another process, someone else, the reader'],
  [/(?<!there )\bis no (?!longer|more|less|better|worse|need|guarantee|other)[a-z]+/i, 'is not a'],
  [/\b(that|what|which|where it) (is|are) none\b/i, 'there are no'],
  [/\bnot to be had\b/i, 'is not available'],
  [/\bwhat is no\b/i, 'invalid'],
  [/\b(what|that) came of\b/i, 'the result, the outcome'],
  [/\bin good order\b/i, 'gracefully, cleanly'],
  [/\bcomes? to nothing\b/i, 'fails'],
  [/\bgoes well\b|\bwent well\b/i, 'succeeds'],
  [/\b(is|are) told of\b/i, 'gets, receives'],
  [/\bpassed over\b|\bpasses over\b/i, 'skipped, ignored'],
];

/** Words that a doc comment must not begin with: begin with a verb (functions) or a noun (all else). */
const OPENING = /\/\*\*\s+(?:\*\s+)?(What|How|Whether|Where|Who|Why|When)\b/g;

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((name) => /^(src|bin|scripts|docs|examples)\/|^[A-Z]+\.md$/.test(name))
  .filter((name) => /\.(ts|mjs|js|md|css|sh|py)$|^bin\//.test(name) && existsSync(join(root, name)));

test('comments, messages and documents are free of the phrases that the rules of language ban', () => {
  const found: string[] = [];
  for (const name of files) {
    for (const [i, line] of readFileSync(join(root, name), 'utf8').split('\n').entries()) {
      for (const [phrase, better] of BANNED) {
        const match = phrase.exec(line);
        if (match !== null) found.push(`${name}:${i + 1}: "${match[0]}" (better: ${better})`);
      }
    }
  }
  expect(found).toEqual([]);
});

test('doc comments begin with a verb or a noun', () => {
  const found: string[] = [];
  const checked = files.filter((file) => /^(src|scripts)\/.*\.(ts|mjs)$/.test(file));
  for (const name of checked) {
    const text = readFileSync(join(root, name), 'utf8');
    for (const match of text.matchAll(OPENING)) {
      const line = text.slice(0, match.index).split('\n').length;
      found.push(`${name}:${line}: begins with "${match[1]}"`);
    }
  }
  expect(found).toEqual([]);
});
