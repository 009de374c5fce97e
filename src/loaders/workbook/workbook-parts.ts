import { posix } from 'node:path';
import { TaskpipeError } from '../../core/base/errors.ts';
import { hint } from '../../core/options/suggest.ts';
import { type DateKind, dateKindOf } from './serial-dates.ts';
import { attributeOf, parseAll, unescaped } from './xml-events.ts';
import type { ZipParts } from './zip-parts.ts';

/** Maximum size of all shared strings of a workbook, in characters; they are kept in memory. */
const MOST_SHARED = 512 * 1024 * 1024;

/** A sheet as the workbook lists it. */
interface Sheet {
  readonly name: string;
  readonly part: string;
  readonly isHidden: boolean;
}

/** A workbook without its sheets' cells. */
export interface Workbook {
  /** File of the sheet that is read. */
  readonly part: string;
  readonly sheet: string;
  /** Names of all sheets. */
  readonly sheets: readonly string[];
  readonly is1904: boolean;
  readonly shared: readonly string[];
  /** Kind of date of each style of cells; undefined for a number. */
  readonly dates: readonly (DateKind | undefined)[];
}

/**
 * Reads the parts of a workbook to which the cells of a sheet refer.
 * @param wanted name of the sheet; default: the first one that is not hidden
 * @throws {TaskpipeError} `USAGE` if there is no such sheet, `DATA` if it is not a workbook in XML
 */
export async function readWorkbook(
  zip: ZipParts,
  path: string,
  wanted: string | undefined,
): Promise<Workbook> {
  const book = await bookPart(zip, path);
  const { sheets: listed, is1904 } = await sheetsOf(zip, path, book);
  const targets = await relationsOf(zip, path, book);
  const sheets = listed.flatMap(({ name, id, isHidden }): Sheet[] => {
    const target = targets.get(id);
    const isSheet = target !== undefined && /\/worksheet$/.test(target.type);
    return isSheet ? [{ name, part: target.part, isHidden }] : [];
  });
  const sheet = chosen(sheets, path, wanted);
  const partOf = (type: string): string | undefined =>
    [...targets.values()].find((target) => target.type.endsWith(`/${type}`))?.part;
  return {
    part: sheet.part,
    sheet: sheet.name,
    sheets: sheets.map(({ name }) => name),
    is1904,
    shared: await sharedStrings(zip, path, partOf('sharedStrings')),
    dates: await dateStyles(zip, path, partOf('styles')),
  };
}

function chosen(sheets: readonly Sheet[], path: string, wanted: string | undefined): Sheet {
  const names = sheets.map(({ name }) => name);
  const first = sheets.find(({ isHidden }) => !isHidden) ?? sheets[0];
  if (first === undefined) throw new TaskpipeError('DATA', `${path}: the workbook has no sheet of cells`);
  if (wanted === undefined) return first;
  const isWanted = (name: string): boolean => name.toLowerCase() === wanted.toLowerCase();
  const found = sheets.find(({ name }) => name === wanted) ?? sheets.find(({ name }) => isWanted(name));
  if (found !== undefined) return found;
  const list = names.map((name) => JSON.stringify(name)).join(', ');
  throw new TaskpipeError(
    'USAGE',
    `${path} has no sheet ${JSON.stringify(wanted)} (--sheet); it has ${list}${hint(wanted, names)}`,
  );
}

/** Returns the file of the workbook's list of sheets. */
async function bookPart(zip: ZipParts, path: string): Promise<string> {
  const targets = zip.has('_rels/.rels') ? await relationsOf(zip, path, '') : new Map<string, Target>();
  const target = [...targets.values()].find(({ type }) => type.endsWith('/officeDocument'));
  const part = target?.part ?? 'xl/workbook.xml';
  const refuse = (words: string): never => {
    throw new TaskpipeError('DATA', `${path} is ${words}; save it as .xlsx or CSV in a spreadsheet program`);
  };
  if (/\.bin$/i.test(part) || zip.has('xl/workbook.bin')) refuse('a binary workbook (.xlsb)');
  if (zip.has('content.xml') && !zip.has(part)) refuse('a workbook of OpenDocument (.ods)');
  if (!zip.has(part)) refuse('a zip archive, but not a workbook (.xlsx)');
  return part;
}

/** Target of a reference between files. */
interface Target {
  readonly part: string;
  readonly type: string;
}

/** Returns the files that a file refers to, by id. */
async function relationsOf(zip: ZipParts, path: string, part: string): Promise<ReadonlyMap<string, Target>> {
  const folder = posix.dirname(part);
  const name = posix.join(folder, '_rels', `${posix.basename(part)}.rels`);
  const targets = new Map<string, Target>();
  await parseAll(zip.text(name), `${path}: ${name}`, {
    open(element, { Id: id = '', Type: type = '', Target: target = '' }) {
      if (element !== 'Relationship') return;
      const whole = target.startsWith('/') ? target.slice(1) : posix.join(folder, target);
      targets.set(id, { part: whole, type });
    },
  });
  return targets;
}

interface Listed {
  readonly name: string;
  readonly id: string;
  readonly isHidden: boolean;
}

async function sheetsOf(
  zip: ZipParts,
  path: string,
  part: string,
): Promise<{ sheets: readonly Listed[]; is1904: boolean }> {
  const sheets: Listed[] = [];
  let is1904 = false;
  await parseAll(zip.text(part), `${path}: ${part}`, {
    open(element, attributes) {
      if (element === 'workbookPr') is1904 = /^(?:1|true|on)$/.test(attributes.date1904 ?? '');
      if (element !== 'sheet') return;
      const { name = '', state = 'visible' } = attributes;
      // The id of the sheet's file has the prefix r:; sheetId is a different id.
      const id = Object.entries(attributes).find(([key]) => /:id$/i.test(key))?.[1] ?? '';
      sheets.push({ name: unescaped(name), id, isHidden: state !== 'visible' });
    },
  });
  return { sheets, is1904 };
}

/** Reads the strings that cells share. Pronunciations, which are next to the text, are left out. */
async function sharedStrings(zip: ZipParts, path: string, part: string | undefined): Promise<string[]> {
  const strings: string[] = [];
  if (part === undefined || !zip.has(part)) return strings;
  let text = '';
  let total = 0;
  let isText = false;
  let phonetic = 0;
  await parseAll(zip.text(part), `${path}: ${part}`, {
    open(name) {
      if (name === 'si') text = '';
      else if (name === 'rPh') phonetic++;
      isText = name === 't' && phonetic === 0;
    },
    close(name) {
      isText = false;
      if (name === 'rPh') phonetic--;
      if (name !== 'si') return;
      strings.push(unescaped(text));
    },
    text(piece) {
      if (!isText) return;
      text += piece;
      total += piece.length;
      if (total > MOST_SHARED)
        throw new TaskpipeError('DATA', `${path}: its texts take more than 512 MB of memory; save it as CSV`);
    },
  });
  return strings;
}

/** Returns the kind of date of each style that cells have. */
async function dateStyles(
  zip: ZipParts,
  path: string,
  part: string | undefined,
): Promise<(DateKind | undefined)[]> {
  const dates: (DateKind | undefined)[] = [];
  if (part === undefined || !zip.has(part)) return dates;
  const codes = new Map<number, string>();
  let isCells = false;
  await parseAll(zip.text(part), `${path}: ${part}`, {
    open(name, attributes) {
      const id = Number(attributeOf(attributes, 'numFmtId') ?? 0);
      if (name === 'numFmt') codes.set(id, attributes.formatCode ?? '');
      else if (name === 'cellXfs') isCells = true;
      else if (name === 'xf' && isCells) dates.push(dateKindOf(id, codes.get(id)));
    },
    close(name) {
      if (name === 'cellXfs') isCells = false;
    },
  });
  return dates;
}
