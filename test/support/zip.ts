import * as zlib from 'node:zlib';

/** Returns a zip archive of these files. */
export function zipOf(files: Readonly<Record<string, string | Buffer>>): Buffer {
  const bodies: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const [name, content] of Object.entries(files)) {
    const bytes = Buffer.from(content as string);
    const packed = zlib.deflateRawSync(bytes);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4); // deflate
    common.writeUInt32LE(zlib.crc32(bytes), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(bytes.length, 18);
    common.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from('504b0304', 'hex'), common, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('504b01021400', 'hex'), common, tail, Buffer.from(name));
    bodies.push(local);
    at += local.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('504b0506', 'hex');
  end.writeUInt16LE(Object.keys(files).length, 8);
  end.writeUInt16LE(Object.keys(files).length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  return Buffer.concat([...bodies, central, end]);
}

/** Parts of a workbook besides its cells. */
export interface BookParts {
  readonly shared?: string;
  readonly styles?: string;
  readonly workbookPr?: string;
  readonly others?: Readonly<Record<string, string | Buffer>>;
  /** Other sheets by name. */
  readonly more?: Readonly<Record<string, string>>;
  /** State of the first sheet. */
  readonly state?: string;
}

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>';
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const DOC = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const PACKAGE = 'http://schemas.openxmlformats.org/package/2006/relationships';

/** Returns a workbook with this XML of rows in its first sheet. */
export function workbookOf(rows: string, parts: BookParts = {}): Buffer {
  const sheets = Object.entries({ First: rows, ...parts.more });
  const state = parts.state === undefined ? '' : ` state="${parts.state}"`;
  const relation = (id: string, type: string, target: string): string =>
    `<Relationship Id="${id}" Type="${DOC}/${type}" Target="${target}"/>`;
  const related = (text: string): string =>
    `${HEAD}<Relationships xmlns="${PACKAGE}">${text}</Relationships>`;
  const list = sheets.map(
    ([name], i) => `<sheet name="${name}" sheetId="${i + 1}"${i === 0 ? state : ''} r:id="r${i}"/>`,
  );
  const targets = sheets.map((_, i) => relation(`r${i}`, 'worksheet', `worksheets/sheet${i}.xml`));
  const pages = sheets.map(([, text], i) => [
    `xl/worksheets/sheet${i}.xml`,
    text.startsWith('<?xml')
      ? text
      : `${HEAD}<worksheet xmlns="${MAIN}"><sheetData>${text}</sheetData></worksheet>`,
  ]);
  return zipOf({
    '_rels/.rels': related(relation('r', 'officeDocument', 'xl/workbook.xml')),
    'xl/workbook.xml': `${HEAD}<workbook xmlns="${MAIN}" xmlns:r="${DOC}">${parts.workbookPr ?? ''}<sheets>${list.join('')}</sheets></workbook>`,
    'xl/_rels/workbook.xml.rels': related(
      targets.join('') +
        relation('s', 'sharedStrings', 'sharedStrings.xml') +
        relation('t', 'styles', '/xl/styles.xml'),
    ),
    'xl/sharedStrings.xml': `${HEAD}<sst xmlns="${MAIN}">${parts.shared ?? ''}</sst>`,
    'xl/styles.xml': `${HEAD}<styleSheet xmlns="${MAIN}">${parts.styles ?? ''}</styleSheet>`,
    ...Object.fromEntries(pages),
    ...parts.others,
  });
}
