import split2 from 'split2';
import { decodeText, encodingHint, REPLACEMENT } from '../core/text/encoding.ts';
import { lineFault, tooLong } from '../core/text/lines.ts';
import type { Loader, ReadOptions } from './contract.ts';
import { JsonLoaded } from './json/json-records.ts';

/** Stands for a line over the cap: half of a surrogate pair, which no decoded text has, and no escaped byte is. */
const TOO_LONG = '\udfff';

/** Plain lines: each becomes the one attribute of a task. Blank lines are skipped. */
export const lines: Loader = async function* (bytes, options) {
  const splitter = split2({ decodeStrings: false });
  const { comment } = options;
  let number = 0;
  for await (const text of capped(decodeText(bytes, options.encoding), options.maxLine)) {
    splitter.write(text);
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

function isGood(text: string, line: number, { source, reject, encoding, maxLine }: ReadOptions): boolean {
  const fault = text === TOO_LONG ? tooLong(maxLine) : lineFault(text, maxLine);
  if (fault?.code === 'UTF8') reject({ source, line, ...fault, message: fault.message + encodingHint(text) });
  else if (fault !== undefined) reject({ source, line, ...fault });
  else if (encoding !== undefined && text.includes(REPLACEMENT))
    reject({ source, line, code: 'ENCODING', message: `not valid ${encoding} (--encoding)`, text });
  else return true;
  return false;
}

/** Puts `TOO_LONG` in place of a line over the cap, so that splitting needs no more memory than that. Ends with a newline. */
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
