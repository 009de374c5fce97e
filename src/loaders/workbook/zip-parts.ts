import { TextDecoder } from 'node:util';
import { type Entry, openPromise, type ZipFile } from 'yauzl';
import { ioError, messageOf, systemCode, TaskpipeError } from '../../core/base/errors.ts';

/** Maximum number of files in a workbook; real workbooks have a few per sheet. */
const MOST_PARTS = 100_000;

/** Files inside a workbook, which is a zip archive. Names are compared without case, as Excel does. */
export class ZipParts {
  readonly #path: string;
  readonly #zip: ZipFile;
  readonly #entries: ReadonlyMap<string, Entry>;

  private constructor(path: string, zip: ZipFile, entries: ReadonlyMap<string, Entry>) {
    this.#path = path;
    this.#zip = zip;
    this.#entries = entries;
  }

  /** Opens a workbook. @throws {TaskpipeError} `IO`, or `DATA` if it is not a whole zip archive */
  static async open(path: string): Promise<ZipParts> {
    try {
      const zip = await openPromise(path, { lazyEntries: true, autoClose: false });
      const entries = new Map<string, Entry>();
      for await (const entry of zip.eachEntry()) {
        entries.set(entry.fileName.toLowerCase(), entry);
        if (entries.size > MOST_PARTS) throw new Error('it has too many files');
      }
      return new ZipParts(path, zip, entries);
    } catch (error) {
      throw unzipError(path, error);
    }
  }

  has(name: string): boolean {
    return this.#entries.has(name.toLowerCase());
  }

  /**
   * Reads a file of the archive as text, in pieces. Its size must be the one that the archive names.
   * @throws {TaskpipeError} `DATA` if it is missing, encrypted or damaged
   */
  async *text(name: string): AsyncGenerator<string> {
    const entry = this.#entries.get(name.toLowerCase());
    if (entry === undefined) throw new TaskpipeError('DATA', `${this.#path}: the workbook has no ${name}`);
    let decoder: TextDecoder | undefined;
    try {
      const stream = await this.#zip.openReadStreamPromise(entry);
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        decoder ??= new TextDecoder(encodingOf(chunk));
        yield decoder.decode(chunk, { stream: true });
      }
      if (decoder !== undefined) yield decoder.decode();
    } catch (error) {
      throw unzipError(this.#path, error);
    }
  }

  close(): void {
    this.#zip.close();
  }
}

function encodingOf(first: Buffer): string {
  if (first[0] === 0xff && first[1] === 0xfe) return 'utf-16le';
  return first[0] === 0xfe && first[1] === 0xff ? 'utf-16be' : 'utf-8';
}

function unzipError(path: string, error: unknown): TaskpipeError {
  if (error instanceof TaskpipeError) return error;
  if (/^E[A-Z]+$/.test(systemCode(error) ?? '')) return ioError('cannot read', path, error);
  const why = messageOf(error);
  return new TaskpipeError(
    'DATA',
    `${path}: the zip archive of the workbook is damaged or cut short (${why}); copy the file again, or save it again in a spreadsheet program`,
    { cause: error },
  );
}
