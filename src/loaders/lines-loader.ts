import split2 from 'split2';
import { decodeText, REPLACEMENT } from '../core/text/encoding.ts';
import { lineFault, tooLong } from '../core/text/lines.ts';
import type { Loader, ReadOptions } from './contract.ts';
import { JsonLoaded } from './json/json-records.ts';

/**
 * Placeholder for a line over the limit: a lone surrogate that occurs neither in decoded text nor as an escaped byte.
 */
const TOO_LONG = '\udfff';

/** Reads plain lines: each becomes a record with one attribute. Skips blank lines. */
export const lines: Loader = async function* (bytes, options) {
  const splitter = split2({ decodeStrings: false });
  const { comment } = options;
  let number = 0;
  let isNoted = false;
  for await (const text of capped(decodeText(bytes, options.encoding), options.maxLine)) {
    splitter.write(text);
    if (!isNoted && text.includes('\0')) {
      isNoted = true;
      options.info(`${options.source}: has NUL characters; a list of find -print0 needs --null`);
    }
    const batch: JsonLoaded[] = [];
    for (let line = splitter.read(); line !== null; line = splitter.read()) {
      number++;
      if (number <= options.skip || (comment !== undefined && line.startsWith(comment))) continue;
      if (!/\S/.test(line) || !isGood(line, number, options)) continue;
      const fields = { [options.field]: line };
      batch.push(new JsonLoaded({ text: JSON.stringify(fields), fields, line: number }, options));
    }
    yield batch;
  }
};

function isGood(text: string, line: number, options: ReadOptions): boolean {
  const { source, reject, encoding, maxLine, encodingHints } = options;
  const fault = text === TOO_LONG ? tooLong(maxLine) : lineFault(text, maxLine);
  if (fault !== undefined) {
    const hint = fault.code === 'UTF8' ? encodingHints.hint(text) : '';
    reject({ source, line, ...fault, message: fault.message + hint });
  } else if (encoding !== undefined && text.includes(REPLACEMENT))
    reject({ source, line, code: 'ENCODING', message: `not valid ${encoding} (--encoding)`, text });
  else return true;
  return false;
}

/**
 * Replaces a line over the limit by `TOO_LONG`, which bounds the memory for splitting. Adds a newline at the
 * end.
 */
async function* capped(texts: AsyncIterable<string>, maxLine: number): AsyncGenerator<string> {
  let kept = '';
  let skipping = false;
  for await (const text of texts) {
    const last = text.lastIndexOf('\n');
    if (last < 0) {
      if (!skipping) kept += text;
    } else {
      let whole = text.slice(0, last + 1);
      if (skipping) whole = TOO_LONG + whole.slice(whole.indexOf('\n'));
      yield kept + whole;
      kept = text.slice(last + 1);
      skipping = false;
    }
    if (kept.length > maxLine) {
      kept = '';
      skipping = true;
    }
  }
  if (skipping) yield `${TOO_LONG}\n`;
  else if (kept !== '') yield `${kept}\n`;
}
