import type { FileHandle } from 'node:fs/promises';
import { PassThrough, Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ioError } from '../../../core/base/errors.ts';
import { commitFile, discardFile, openTemporary } from '../private-files.ts';
import type { AnswerHeaders, BodySink } from '../transport/answer.ts';
import { codingsIn, decoderOf } from '../transport/decode.ts';
import type { HttpFault } from '../transport/http-failure.ts';

/** Bytes that wait to be written, from which the connection is paused. */
const WAITING = 262_144;

/**
 * Body that goes to a temporary file as it arrives, decoded, so that memory does not grow with it. It is renamed when
 * the answer is judged.
 */
export class BodyFile implements BodySink {
  readonly #path: string;
  readonly #input = new PassThrough({ writableHighWaterMark: WAITING });
  readonly finished: Promise<HttpFault | undefined>;
  #temporary: string | undefined;
  #file: FileHandle | undefined;
  #isDiscarded = false;

  /**
   * @param path path of the file, without its extension
   * @param first bytes of the body, which tell the kind of `deflate`
   * @param maxBody longest decoded body, in bytes
   * @param onError called if writing or decoding fails before the end
   */
  constructor(
    path: string,
    headers: AnswerHeaders,
    first: Buffer,
    limit: { host: string; maxBody: number },
    onError: (fault: HttpFault) => void,
  ) {
    this.#path = path;
    this.finished = this.#write(headers, first, limit);
    this.finished.then((fault) => {
      if (fault !== undefined) onError(fault);
    });
  }

  write(chunk: Buffer, onRoom: () => void): boolean {
    if (this.#input.write(chunk)) return true;
    this.#input.once('drain', onRoom);
    return false;
  }

  end(): void {
    this.#input.end();
  }

  /** Gives the complete file its name. @throws {TaskpipeError} `IO` */
  async keep(ending: string): Promise<string> {
    const path = this.#path + ending;
    await commitFile(this.#file as FileHandle, this.#temporary as string, path);
    return path;
  }

  async discard(): Promise<void> {
    this.#isDiscarded = true;
    this.#input.destroy();
    await this.finished;
    if (this.#file !== undefined) await discardFile(this.#file, this.#temporary as string);
  }

  async #write(
    headers: AnswerHeaders,
    first: Buffer,
    { host, maxBody }: { host: string; maxBody: number },
  ): Promise<HttpFault | undefined> {
    const steps: Transform[] = [];
    for (const name of codingsIn(headers)) {
      const decoder = decoderOf(name, first);
      if (decoder === undefined)
        return decodeFault(host, `has the encoding ${JSON.stringify(name)}, which was not requested`);
      steps.push(decoder);
    }
    if (steps.length > 0) steps.push(upTo(maxBody));
    try {
      const { file, temporary } = await openTemporary(this.#path, 0o666);
      this.#file = file;
      this.#temporary = temporary;
      await pipeline([this.#input, ...steps, into(file)]);
      return undefined;
    } catch (error) {
      if (this.#isDiscarded) return undefined;
      return this.#fault(error as NodeJS.ErrnoException, host, maxBody);
    }
  }

  #fault(error: NodeJS.ErrnoException, host: string, maxBody: number): HttpFault {
    if (error === TOO_LONG) {
      const message = `the body from ${host} decompresses to more than ${maxBody} bytes (--max-body)`;
      return { code: 'BODY_TOO_LARGE', message, again: 'never' };
    }
    if (error.syscall === undefined)
      return decodeFault(host, `cannot be decoded: ${error.message}`, 'idempotent');
    const fatal = ioError('cannot write', this.#path, error);
    return { code: 'IO', message: fatal.message, again: 'never', fatal };
  }
}

const TOO_LONG = new Error('too long');

/** Returns a step that fails after this many bytes. */
function upTo(most: number): Transform {
  let length = 0;
  return new Transform({
    transform(chunk: Buffer, _, done) {
      length += chunk.length;
      if (length > most) done(TOO_LONG);
      else done(null, chunk);
    },
  });
}

/** Returns a stream that writes to an open file, and leaves it open. */
function into(file: FileHandle): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      file.writeFile(chunk).then(() => done(), done);
    },
  });
}

function decodeFault(host: string, words: string, again: HttpFault['again'] = 'never'): HttpFault {
  return { code: 'DECODE', message: `the body from ${host} ${words}`, again };
}
