import type { Hash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { PassThrough, type Transform, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ioError } from '../../../../core/base/errors.ts';
import { discardFile, sealFile } from '../../private-files.ts';
import type { AnswerHeaders, BodySink, WrittenBody } from '../../transport/answer.ts';
import { codingsIn, decoderOf } from '../../transport/decode.ts';
import type { HttpFault } from '../../transport/http-failure.ts';

/** Bytes that wait to be written, from which the connection is paused. */
const WAITING = 262_144;

/** Open file that a body is appended to. */
export interface OpenBody {
  readonly file: FileHandle;
  readonly path: string;
  /** Hash of the bytes that are in it. */
  readonly hash: Hash;
  /** Number of bytes that are in it. */
  bytes: number;
}

/** File that a body goes to before it is complete. */
export interface BodyTarget {
  /** Path for messages. */
  readonly path: string;
  /** True if another attempt can continue the body. */
  readonly isLasting: boolean;
  /** Length that the file must have at the end, in bytes, if it is known. */
  readonly length?: number | undefined;
  /** Opens the file. Rejects as `open` does. */
  open(): Promise<OpenBody>;
  /** Notes that bytes were written. */
  wrote(body: OpenBody, bytes: number): Promise<void> | undefined;
  /** Closes the file of a body that is not complete. Returns whether it is kept, for another attempt. */
  keep(body: OpenBody): Promise<boolean>;
  /** Called when the file was removed. */
  forget(): Promise<void>;
  /** Called when the file is closed. */
  ended(): void;
}

/** Response whose body goes to a file. */
interface FileResponse {
  readonly headers: AnswerHeaders;
  readonly host: string;
  /** Longest body, decoded, in bytes. */
  readonly maxBody: number;
}

/** Body that goes to a file as it arrives, decoded, so that memory does not grow with it. */
export class BodyFile implements BodySink {
  readonly finished: Promise<HttpFault | undefined>;
  readonly #target: BodyTarget;
  readonly #input = new PassThrough({ writableHighWaterMark: WAITING });
  #body: OpenBody | undefined;
  /** Write that is under way, or was the last. */
  #appending: Promise<void> | undefined;
  #isStopped = false;
  #isTooLong = false;

  /**
   * @param first bytes of the body, which tell the kind of `deflate`
   * @param onError called if writing or decoding fails before the end
   */
  constructor(
    target: BodyTarget,
    response: FileResponse,
    first: Buffer,
    onError: (fault: HttpFault) => void,
  ) {
    this.#target = target;
    this.finished = this.#write(response, first);
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

  async seal(): Promise<WrittenBody> {
    const { file, path, bytes, hash } = this.#body as OpenBody;
    await sealFile(file, path, bytes).finally(() => this.#target.ended());
    return { path, bytes, sha256: hash.digest('hex') };
  }

  async suspend(): Promise<void> {
    await this.#stop(this.#target.isLasting);
    if (this.#isTooLong || this.#body === undefined || !(await this.#target.keep(this.#body)))
      await this.#remove();
    this.#target.ended();
  }

  async discard(): Promise<void> {
    await this.#stop(false);
    await this.#remove();
    this.#target.ended();
  }

  /** Ends the stream. @param isWhole true to write the received bytes first */
  async #stop(isWhole: boolean): Promise<void> {
    this.#isStopped = true;
    if (isWhole) this.#input.end();
    else this.#input.destroy();
    await this.finished;
    await this.#appending?.catch(() => {}); // `pipeline` does not wait for it
  }

  async #remove(): Promise<void> {
    if (this.#body !== undefined) await discardFile(this.#body.file, this.#body.path);
    await this.#target.forget();
  }

  async #write({ headers, host, maxBody }: FileResponse, first: Buffer): Promise<HttpFault | undefined> {
    const decoders: Transform[] = [];
    for (const name of codingsIn(headers)) {
      const decoder = decoderOf(name, first);
      if (decoder === undefined)
        return decodeFault(host, `has the encoding ${JSON.stringify(name)}, which was not requested`);
      decoders.push(decoder);
    }
    try {
      const body = await this.#target.open();
      this.#body = body;
      if (this.#input.destroyed) return undefined; // `pipeline` would wait forever if it had also ended
      await pipeline([this.#input, ...decoders, this.#sink(body, maxBody)]);
      return this.#incomplete(host, body.bytes);
    } catch (error) {
      if (this.#isStopped) return undefined;
      return this.#fault(error as NodeJS.ErrnoException, host, maxBody, decoders.length > 0);
    }
  }

  /** Returns a stream that appends to a body up to a length, and leaves its file open. */
  #sink(body: OpenBody, most: number): Writable {
    const append = async (chunk: Buffer): Promise<void> => {
      if (body.bytes + chunk.length > most) throw TOO_LONG;
      await body.file.writeFile(chunk);
      body.hash.update(chunk);
      body.bytes += chunk.length;
      await this.#target.wrote(body, chunk.length);
    };
    return new Writable({
      highWaterMark: WAITING,
      write: (chunk: Buffer, _, done) => {
        this.#appending = append(chunk);
        this.#appending.then(() => done(), done);
      },
      writev: (chunks, done) => {
        this.#appending = append(Buffer.concat(chunks.map(({ chunk }) => chunk as Buffer)));
        this.#appending.then(() => done(), done);
      },
    });
  }

  /** Returns the fault of a server that sent less than the announced length of the whole. */
  #incomplete(host: string, bytes: number): HttpFault | undefined {
    const { length = bytes } = this.#target;
    if (bytes === length) return undefined;
    const message = `the body from ${host} ended after ${bytes} of ${length} bytes`;
    return { code: 'CONNECTION', message, again: 'idempotent' };
  }

  #fault(error: NodeJS.ErrnoException, host: string, maxBody: number, isCoded: boolean): HttpFault {
    if (error === TOO_LONG) {
      this.#isTooLong = true;
      const what = isCoded ? 'decompresses to more' : 'is longer';
      const message = `the body from ${host} ${what} than ${maxBody} bytes (--max-body)`;
      return { code: 'BODY_TOO_LARGE', message, again: 'never' };
    }
    if (error.syscall === undefined)
      return decodeFault(host, `cannot be decoded: ${error.message}`, 'idempotent');
    const fatal = ioError('cannot write', this.#target.path, error);
    return { code: 'IO', message: fatal.message, again: 'never', fatal };
  }
}

const TOO_LONG = new Error('too long');

function decodeFault(host: string, words: string, again: HttpFault['again'] = 'never'): HttpFault {
  return { code: 'DECODE', message: `the body from ${host} ${words}`, again };
}
