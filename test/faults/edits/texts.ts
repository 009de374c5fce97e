import { readFileSync, writeFileSync } from 'node:fs';
import type { Edit, Kind } from './edit.ts';

/** Returns an edit of the text of an output. */
export function textEdit(name: string, kind: Kind, change: (text: string) => string | Buffer): Edit {
  return {
    name,
    kind,
    apply: ({ path }) => writeFileSync(path, change(readFileSync(path, 'utf8'))),
  };
}

/** Edits that apply to every line-based format. */
export const texts: readonly Edit[] = [
  textEdit('CRLF', 'harmless', crlf),
  textEdit('a byte order mark', 'harmless', (text) => `\ufeff${text}`),
  textEdit('no final line end', 'harmless', (text) => text.slice(0, -1)),
  textEdit('CRLF, and no final line end', 'harmless', (text) => crlf(text).slice(0, -2)),
  textEdit('CRLF, cut between its two characters', 'harmless', (text) => crlf(text).slice(0, -1)),
  textEdit(
    'a byte order mark, CRLF, no final line end',
    'harmless',
    (text) => `\ufeff${crlf(text).slice(0, -2)}`,
  ),
  textEdit('CRLF at the end only', 'harmless', (text) => `${text.slice(0, -1)}\r\n`),
  textEdit('two blank lines at the end', 'harmless', (text) => `${text}\n\n`),
  textEdit('a value edited', 'harmless', (text) => text.replace('plain', 'edited by hand')),
  textEdit('cut in the middle', 'unclear', (text) => text.slice(0, Math.floor(text.length / 2))),
  textEdit('cut to one byte', 'unclear', (text) => text.slice(0, 1)),
  textEdit('UTF-16', 'broken', (text) => Buffer.from(text, 'utf16le')),
  textEdit('UTF-16 with a byte order mark', 'broken', (text) => Buffer.from(`\ufeff${text}`, 'utf16le')),
  textEdit('UTF-16, the other way round', 'broken', (text) => Buffer.from(text, 'utf16le').swap16()),
  textEdit('UTF-32', 'broken', (text) => utf32(text)),
  textEdit('UTF-32 with a byte order mark', 'broken', (text) => utf32(`\ufeff${text}`)),
  textEdit('UTF-16 with CRLF', 'broken', (text) => Buffer.from(`\ufeff${crlf(text)}`, 'utf16le')),
  textEdit('Latin-1', 'broken', (text) => Buffer.from(text, 'latin1')),
  textEdit('line ends of old Macs', 'broken', (text) => text.replaceAll('\n', '\r')),
  textEdit('a NUL', 'broken', (text) => text.replace('plain', 'pl\0in')),
  textEdit(
    'marks of a merge conflict',
    'broken',
    (text) => `<<<<<<< HEAD\n${text}=======\n${text}>>>>>>> main\n`,
  ),
];

function crlf(text: string): string {
  return text.replaceAll('\n', '\r\n');
}

function utf32(text: string): Buffer {
  return Buffer.concat(
    [...text].map((character) => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32LE(character.codePointAt(0) as number);
      return bytes;
    }),
  );
}
