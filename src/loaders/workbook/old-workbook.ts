import { open } from 'node:fs/promises';
import { quote } from 'shlex';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';

/** Start of a compound file: an old workbook (.xls), or a container of an encrypted one. */
const COMPOUND = Buffer.from('d0cf11e0a1b11ae1', 'hex');
/** Name of the stream that holds an encrypted workbook. */
const ENCRYPTED = Buffer.from('EncryptedPackage', 'utf16le');
/** Bytes of the directory of a compound file that are searched. */
const SEARCHED = 64 * 1024;

/**
 * Refuses a workbook that is not a zip archive.
 * @throws {TaskpipeError} `DATA` if it is of the old format, has a password, or is not a workbook; `IO`
 */
export async function refuseOldWorkbook(path: string): Promise<void> {
  const refuse = (words: string): never => {
    throw new TaskpipeError('DATA', `${path} ${words}`);
  };
  const { first, directory } = await startOf(path);
  if (first.length === 0) refuse('is empty, and so not a workbook');
  if (first.subarray(0, COMPOUND.length).equals(COMPOUND)) {
    if (directory.includes(ENCRYPTED))
      refuse(
        'has a password: remove it in a spreadsheet program (File, Info, Protect Workbook), and save it',
      );
    refuse(
      `is a workbook of the old format (.xls): save it as .xlsx, or convert it with: soffice --headless --convert-to xlsx ${quote(path)}`,
    );
  }
  if (first[0] === 0x50 && first[1] === 0x4b) return;
  const isMarkup = /^\s*<(?:\?xml|!doctype|html|table)/i.test(first.toString('latin1'));
  refuse(
    `is not a workbook (.xlsx)${isMarkup ? ', but HTML or XML that a program gave this name; save it as .xlsx or CSV in a spreadsheet program' : '; if it is a table as text, add --format csv'}`,
  );
}

async function startOf(path: string): Promise<{ first: Buffer; directory: Buffer }> {
  try {
    const file = await open(path, 'r');
    try {
      const head = Buffer.alloc(512);
      const { bytesRead } = await file.read(head, 0, head.length, 0);
      const first = head.subarray(0, bytesRead);
      if (bytesRead < head.length) return { first, directory: Buffer.alloc(0) };
      // Of a compound file: the size of its sectors, and the first sector of its directory.
      const shift = Math.min(head.readUInt16LE(30), 16);
      const directory = Buffer.alloc(SEARCHED);
      const at = (head.readUInt32LE(48) + 1) * 2 ** shift;
      const read = await file.read(directory, 0, SEARCHED, at);
      return { first, directory: directory.subarray(0, read.bytesRead) };
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError('cannot read', path, error);
  }
}
