import { counted } from '../../core/base/format.ts';
import { minify } from '../../core/record/json-text.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { decodeText, encodeUtf8 } from '../../core/text/encoding.ts';
import { jsonErrorAt } from '../../core/text/json-error.ts';
import type { BadInput } from '../../core/text/lines.ts';
import type { Loader, ReadOptions } from '../contract.ts';
import { isRecord } from '../source/sniff.ts';
import { JsonLoaded } from './json-records.ts';
import { type Element, JsonSplitter } from './json-splitter.ts';
import { isDecoded, ndjsonOf } from './ndjson-loader.ts';

/** Maximum number of characters to read while waiting for the end of the first line. */
const LARGE = 64 * 1024;

/**
 * Reads JSON: an array of objects, NDJSON, or one or several objects in any layout, or separated by RS (RFC
 * 7464). Reads it as a stream: memory holds one record.
 */
export const json: Loader = async function* (bytes, options) {
  const texts = decodeText(bytes, options.encoding);
  let text = '';
  let kind: Kind | undefined;
  while (kind === undefined) {
    const next = await texts.next();
    if (!next.done) text += next.value;
    kind = kindOf(text, next.done === true);
    if (next.done) break;
  }
  const all = following(text, texts);
  if (kind === 'lines') yield* ndjsonOf(asUtf8(all), options);
  else if (kind !== undefined) yield* bySplitter(all, kind, options);
};

type Kind = 'array' | 'values' | 'lines';

/** Returns the kind of a file by its beginning; undefined if more text is needed, or the file is empty. */
function kindOf(text: string, isEnd: boolean): Kind | undefined {
  const start = text.trimStart();
  if (start === '') return undefined;
  if (start[0] === '\x1e') return 'values';
  if (start[0] !== '{') return 'array';
  const newline = start.indexOf('\n');
  if (newline < 0 && !isEnd && start.length < LARGE) return undefined;
  // If the first line is a whole record, each line is one, and an invalid line does not affect the next.
  return newline >= 0 && isRecord(start.slice(0, newline)) ? 'lines' : 'values';
}

async function* following(first: string, rest: AsyncIterator<string>): AsyncGenerator<string> {
  try {
    yield first;
    for (let next = await rest.next(); !next.done; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* asUtf8(texts: AsyncIterable<string>): AsyncGenerator<Buffer> {
  for await (const text of texts) yield encodeUtf8(text);
}

async function* bySplitter(
  texts: AsyncIterable<string>,
  kind: 'array' | 'values',
  options: ReadOptions,
): AsyncGenerator<JsonLoaded[]> {
  const elements = new JsonSplitter(options.maxLine, kind);
  for await (const text of texts) yield toRecords(elements.push(text), options);
  yield toRecords(elements.end(), options);
}

function toRecords(elements: readonly Element[], options: ReadOptions): JsonLoaded[] {
  const records: JsonLoaded[] = [];
  for (const element of elements) {
    const { text, line, column, fault } = element;
    const bad = (code: BadInput['code'], message: string): void =>
      options.reject({ source: options.source, line, code, message, text });
    if (fault !== undefined) {
      bad(
        text === '' ? 'LONG' : 'JSON',
        text === '' ? fault : `${fault} (column ${column})${lostIn(element)}`,
      );
      continue;
    }
    if (!text.isWellFormed()) {
      bad('UTF8', `not valid UTF-8${options.encodingHints.hint(text)}`);
      continue;
    }
    const parsed = parseStrictly(text);
    if ('code' in parsed)
      bad(parsed.code, parsed.code === 'JSON' ? withPlace(parsed.message, element) : parsed.message);
    else {
      const record = new JsonLoaded({ text: minify(parsed.text), fields: parsed.fields, line }, options);
      if (isDecoded(record, options)) records.push(record);
    }
  }
  return records;
}

/** Parses a record like `parseRecord`, but allows only white space of JSON around it. */
function parseStrictly(text: string): NonNullable<ReturnType<typeof parseRecord>> {
  const parsed = parseRecord(text);
  const isStrict = parsed !== undefined && ('code' in parsed || jsonTrimmed(text) === parsed.text);
  return isStrict ? parsed : { code: 'JSON', message: 'not JSON: unexpected character' };
}

function jsonTrimmed(text: string): string {
  let end = text.length;
  while (' \t\r\n'.includes(text[end - 1] ?? '-')) end--;
  return text.slice(0, end);
}

/** Returns the message of `JSON.parse` with the position in the file instead of the position in the element. */
function withPlace(message: string, element: Element): string {
  const at = jsonErrorAt(element.text);
  const words = message.replace(/(?: in JSON)? at position \d+(?: \(line \d+ column \d+\))?$/, '');
  return at === undefined ? words : `${words} (${placeOf(element, at)})`;
}

function placeOf({ text, line, column }: Element, at: number): string {
  const before = text.slice(0, at).split('\n');
  const last = (before.at(-1) as string).length;
  return `line ${line + before.length - 1}, column ${last + (before.length === 1 ? column : 1)}`;
}

/** Returns the number of lines that an unfinished element took, and the place of its first error. */
function lostIn(element: Element): string {
  const lines = element.text.trimEnd().split('\n').length;
  const at = jsonErrorAt(element.text);
  if (lines < 2 || at === undefined || at >= element.text.length) return '';
  return `; it is not JSON from ${placeOf(element, at)} on, and ${counted(lines, 'line')} up to the end went into this record`;
}
