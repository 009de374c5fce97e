/* The language of the project: CONTRIBUTING.md has the rules. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { root } from './support/run.ts';

/** Phrases that plain technical English does without, each with what to write in place of it and an example. */
const BANNED: readonly (readonly [phrase: RegExp, better: string, example: string])[] = [
  [
    /\b([Nn]obody|[Ss]omebody|[Aa]nybody|[Ww]hom?ever)\b/,
    'another process, someone else, the reader',
    'Nobody reads',
  ],
  [
    /(?<!there )\b(is|are) no (?!longer|more|less|better|worse|need|guarantee|other)[a-z]+/i,
    'is not a',
    'a line that is no task',
  ],
  [/\b(that|what|which|where it) (is|are) none\b/i, 'there are no, is not one', 'undefined where it is none'],
  [/\b(to|can|could) be had\b/i, 'is available', 'where locks are not to be had'],
  [/\b(what|that) came of\b/i, 'the result, the outcome', 'what came of it'],
  [/\bin good order\b/i, 'gracefully, cleanly', 'ends in good order'],
  [/\bcomes? to nothing\b/i, 'fails', 'a try that comes to nothing'],
  [/\b(goes|went|go) well\b/i, 'succeeds', 'all went well'],
  [/\b(is|are|was|were|be) told\b/i, 'receives, is reported', 'the reader is told'],
  [/\bpass(es|ed)? over\b/i, 'skips, ignores', 'blank lines are passed over'],
  [/\bin the midst\b/i, 'in the middle', 'cut in the midst'],
  [/\bso many\b(?!.*\bthat\b)/i, 'this many, N', 'after so many failures'],
  [/\bmeans? harm\b/i, 'is hostile', 'servers that mean harm'],
  [/\b[Ss]urely\b/, 'reliably, certainly', 'done, surely'],
  [/\bno (less|fewer) than\b/i, 'at least', 'no less than -j'],
  [/\b(gives?|gave|given) on\b/i, 'passes on, emits', 'records that it gave on'],
  [/\b(done|do(es)? (it|them)) again\b/i, 'runs again', 'the task is done again'],
  [/\bin silence\b/i, 'silently', 'dropped in silence'],
  [/\bas ever\b/i, 'unchanged', 'must be as ever'],
  [/\b(whence|whereof|thereof|wherein|therein|amiss)\b/i, 'a plain word', 'finds nothing amiss'],
];

/** Phrases that the code is free of, in the form of `BANNED`. Pages may still have them. */
const BANNED_IN_CODE: typeof BANNED = [
  [
    /\bof (its|their) own(?=[.,;:)'"]|$| (and|or|that|which|for|in|with|by|so|as)\b)/i,
    'its own X, a separate X',
    'in a folder of its own.',
  ],
  [/\bfor ever\b/i, 'forever', 'would wait for ever'],
  [/\b(is|are|was|were|be) (not |never )?taken for\b/i, 'is mistaken for', 'is not taken for silence'],
  [/\b(is|are|was|were|be|longer) waited for\b/i, 'X waits for', 'a server that is waited for'],
  [/\b(do|does|did) not tell\b/i, 'does not report, show', 'if the system does not tell'],
  [/\b(is|are) (not )?to be [a-z]+ed\b/i, 'will be, must be', 'a task that is not to be started'],
  [/\bsome \d/i, 'about', 'some 15 bytes'],
  [/\banew\b/i, 'again', 'makes it anew'],
  [/\b(at last|in vain)\b/i, 'finally, without success', 'waited in vain'],
  [/\b(for want of|of no use|such as it (is|was)|at hand)\b/i, 'without, useless', 'of no use'],
  [/\bgood for (one|two|a|an|many)\b/i, 'valid for', 'a token that is good for one use'],
  [/\b(come|comes|came) of (it|them|this|that)\b/i, 'the result', 'whatever comes of it'],
  [/\b(shall|lest|hence|thereby|whereby|upon)\b/i, 'must, otherwise, so', 'the shell shall survive'],
  [/\bleads? nowhere\b/i, 'is broken, is invalid', 'a link that leads nowhere'],
];

/** Words that a comment must not begin with: begin with a verb (functions) or a noun (all else). */
const OPENING = /\/\*\*?\s+(?:\*\s+)?(What|How|Whether|Where|Who|Why|When|Tells whether)\b/g;

/** Words that a doc comment must not begin with: "Maximum number of", "Makes X wait", "Reports", "Returns", "Assigns". */
const DOC_OPENING = /\/\*\*\s+(?:\*\s+)?(Most|Has|Tells|Gives(?! up)|One that|Nothing)\b/g;

/** Doc comment of a function, unless it has only tags, with its first word. */
const FUNCTION =
  /\/\*\*\s+(?:\*\s+)?([^\s@*]\S*)(?:(?!\*\/).)*\*\/\n\s*(?:export |default |async )*function\b/gs;

/** Doc comment of a class, an interface, a type or a property that is true or false, with its first word. */
const THING =
  /\/\*\*\s+(?:\*\s+)?([^\s@*]\S*)(?:(?!\*\/).)*\*\/\n\s*(?:export |abstract )*(?:(?:class|interface|type) \w|(?:readonly )?\w+\??: boolean\b)/gs;

/** Verbs that such a comment must not begin with: "Writer of", "True to write". Words that may be nouns are missing. */
const ACTION =
  /^(Accepts|Adds|Appends|Asks|Closes|Commits|Converts|Decides|Draws|Finds|Follows|Gathers|Keeps|Loads|Makes|Opens|Passes|Puts|Reads|Receives|Removes|Replaces|Resolves|Returns|Saves|Sends|Settles|Shows|Skips|Sorts|Splits|Takes|Turns|Uses|Warns|Writes)$/;

/** First word of a sentence about a function: "Returns", "Type-checks". */
const VERB = /^[A-Z][a-z-]+s[,.]?$/;

/** Maximum number of words in a sentence of a page. A code span is one word. */
const LONGEST = 40;

/** Sentences of pages that may be longer, with their page and line. Do not add any: split the sentence. */
const LONG_SENTENCES: readonly string[] = [];

const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((name) => /^(src|bin|scripts|docs|examples|test)\/|^[A-Z]+\.md$/.test(name))
  .filter((name) => /\.(ts|mjs|js|md|css|sh|py)$|^bin\//.test(name) && existsSync(join(root, name)))
  .filter((name) => !/^test\/(cases\/|corpus\/|phrases\.)/.test(name));

const sources = files.filter((name) => /^(src|scripts|test)\/.*\.(ts|mjs)$/.test(name));

const code = files.filter((name) => /^(src|bin|scripts|test)\//.test(name));

function read(name: string): string {
  return readFileSync(join(root, name), 'utf8');
}

/** Returns the banned phrases of files, each with its place and a better phrase. */
function bannedIn(names: readonly string[], banned: typeof BANNED): string[] {
  return names.flatMap((name) =>
    read(name)
      .split('\n')
      .flatMap((line, i) =>
        banned.flatMap(([phrase, better]) => {
          const match = phrase.exec(line);
          return match === null ? [] : [`${name}:${i + 1}: "${match[0]}" (better: ${better})`];
        }),
      ),
  );
}

/** Returns places where a word in a comment is wrong, as `file:line: "word"`. */
function wordsIn(name: string, comment: RegExp, isRight: (word: string) => boolean): string[] {
  const text = read(name);
  return [...text.matchAll(comment)].flatMap(({ 1: word = '', index }) =>
    isRight(word) ? [] : [`${name}:${text.slice(0, index).split('\n').length}: begins with "${word}"`],
  );
}

/** Returns the sentences of a line of Markdown that are too long. Each cell of a table is a separate text. */
function longSentences(line: string): string[] {
  const texts = line.startsWith('|') ? line.split(/(?<!\\)\|/) : [line];
  return texts
    .map((text) => text.replace(/`[^`]*`/g, 'code').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'))
    .flatMap((text) => text.split(/(?<=[.!?][*")']*)\s+/))
    .filter((sentence) => sentence.split(/\s+/).filter((word) => /\w/.test(word)).length > LONGEST);
}

test('comments, titles, messages and documents are free of the phrases that the rules of language ban', () => {
  expect(bannedIn(files, BANNED)).toEqual([]);
  expect(bannedIn(code, BANNED_IN_CODE)).toEqual([]);
});

test('each banned phrase is found in its example', () => {
  for (const [phrase, , example] of [...BANNED, ...BANNED_IN_CODE]) expect(example).toMatch(phrase);
});

test('comments begin with a verb or a noun', () => {
  expect(sources.flatMap((name) => wordsIn(name, OPENING, () => false))).toEqual([]);
  const own = sources.filter((name) => code.includes(name));
  expect(own.flatMap((name) => wordsIn(name, DOC_OPENING, () => false))).toEqual([]);
});

test('the doc comment of a function begins with a verb', () => {
  expect(sources.flatMap((name) => wordsIn(name, FUNCTION, (word) => VERB.test(word)))).toEqual([]);
  const [bad] = ['/**\n * The lines.\n */\nexport function lines() {}'].flatMap((text) => [
    ...text.matchAll(FUNCTION),
  ]);
  expect(bad?.[1]).toBe('The');
});

test('the doc comment of a class, an interface, a type or a boolean begins with a noun', () => {
  const own = sources.filter((name) => code.includes(name));
  expect(own.flatMap((name) => wordsIn(name, THING, (word) => !ACTION.test(word)))).toEqual([]);
  const bad = [
    '/** Writes rows. */\nexport class Rows {}',
    '/** Writes rows. */\n  readonly writes?: boolean;',
  ];
  for (const text of bad) expect([...text.matchAll(THING)].map(([, word]) => word)).toEqual(['Writes']);
});

test('no sentence of a page is longer than 40 words', () => {
  const found = files
    .filter((name) => name.endsWith('.md'))
    .flatMap((name) =>
      read(name)
        .replace(/^```.*?^```/gms, (block) => block.replace(/[^\n]/g, ''))
        .split('\n')
        .flatMap((line, i) => longSentences(line).map((sentence) => `${name}:${i + 1}: ${sentence}`)),
    );
  expect(found).toEqual(LONG_SENTENCES);
  expect(longSentences(`Short. ${'word '.repeat(LONGEST)}\`a b c\` end.`)).toHaveLength(1);
});
