import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError } from '../../../../core/base/errors.ts';
import type { Failure, Task } from '../../../../core/record/task.ts';
import { compileTemplate } from '../../../../core/record/template.ts';
import { makeFolders } from '../../../../core/storage/make-folders.ts';
import { makeFolder, openTemporary, writeTemporary } from '../../private-files.ts';
import { type HeaderList, mergeHeaders } from '../../request/headers.ts';
import type { HttpRequest } from '../../request/redirect.ts';
import {
  type Answer,
  type AnswerHeaders,
  type BodyStore,
  isFault,
  type WrittenBody,
} from '../../transport/answer.ts';
import type { Client } from '../../transport/client.ts';
import { isCoded } from '../../transport/decode.ts';
import type { FilePlace } from '../body.ts';
import { BodyFile, type BodyTarget } from './body-file.ts';
import { attributeNames, type BodyName, type BodyNames, hashedNames, keyOfTask } from './body-names.ts';
import {
  completed,
  hashOfUrl,
  headersFor,
  isRefusal,
  mayContinue,
  versionOf,
  wholeAnswer,
} from './continued-body.ts';
import { type PartialClaim, PartialFiles } from './partial-files.ts';
import type { BodyVersion, Partial } from './partial-notes.ts';

/**
 * Lengths from which a body goes to a file, in bytes: uncompressed, and compressed (gzip shrinks data by a factor of
 * a thousand at most).
 */
const LARGE = 1_048_576;
const LARGE_CODED = 16_000;

/** Limits of bodies in files, in bytes. */
export interface FileLimits {
  /** Longest body as received. */
  readonly received: number;
  /** Longest body that was decompressed. */
  readonly unpacked: number;
}

/** Files for the bodies of a run. */
export class BodyPlaces {
  /** Number of bytes that were written. */
  bytes = 0;
  readonly limits: FileLimits;
  readonly #names: BodyNames;
  readonly #partials: PartialFiles | undefined;

  private constructor(names: BodyNames, partials: PartialFiles | undefined, limits: FileLimits) {
    this.#names = names;
    this.#partials = partials;
    this.limits = limits;
  }

  /**
   * Opens the files of `--body-dir`.
   * @param typed a folder, or a path with attributes in braces
   * @param limits undefined if all bodies must be in memory
   * @throws {TaskpipeError} `IO` if the folder cannot be made or written
   */
  static async open(typed: string, limits: FileLimits | undefined): Promise<BodyPlaces> {
    const folder = folderOf(typed);
    const own = join(folder ?? typed, '.taskpipe');
    if (folder === undefined) await makeFolder(typed);
    else {
      await makeFolders(folder).catch((error) => {
        throw ioError('cannot make', folder, error);
      });
      await makeFolder(own);
    }
    const names = folder === undefined ? hashedNames(typed) : attributeNames(typed, folder, own);
    const partials = limits === undefined ? undefined : await PartialFiles.open(own);
    const none = { received: Number.POSITIVE_INFINITY, unpacked: Number.POSITIVE_INFINITY };
    return new BodyPlaces(names, partials, limits ?? none);
  }

  /** Returns the place for the body of a task, or its failure. @param url of its request @throws {TaskpipeError} `IO` */
  async placeFor(task: Task, url: string): Promise<BodyPlace | Failure> {
    const name = await this.#names.claim(task);
    if ('code' in name) return name;
    const isInMemory = this.#partials === undefined;
    const hash = hashOfUrl(url);
    const claim = await this.#partials?.claim(keyOfTask(task.uuid), hash);
    return new BodyPlace(this, name, hash, { isInMemory, claim });
  }

  async close(): Promise<void> {
    await this.#partials?.close();
    await this.#names.close();
  }
}

/** Place of the body of one attempt. */
export class BodyPlace implements FilePlace {
  readonly #places: BodyPlaces;
  readonly #name: BodyName;
  readonly #url: string;
  readonly #isInMemory: boolean;
  readonly #claim: PartialClaim | undefined;

  constructor(
    places: BodyPlaces,
    name: BodyName,
    url: string,
    { isInMemory, claim }: { isInMemory: boolean; claim: PartialClaim | undefined },
  ) {
    this.#places = places;
    this.#name = name;
    this.#url = url;
    this.#isInMemory = isInMemory;
    this.#claim = claim;
  }

  get isNamed(): boolean {
    return this.#name.isOfAttributes;
  }

  /** True if another attempt has much less to fetch than this one had. Set by `release`. */
  get hasProgress(): boolean {
    return (this.#claim?.gained ?? 0) > LARGE;
  }

  /** Returns a client that writes large bodies here, and continues a body that broke off. */
  client(client: Client): Client {
    if (this.#isInMemory) return client;
    return {
      send: async (hop, trip, key, follows) => {
        const claim = mayContinue(hop) ? this.#claim : undefined;
        const partial = claim?.partial;
        if (partial !== undefined) {
          const request = withHeaders(hop, headersFor(partial));
          const answer = await client.send(request, trip, key, follows, this.#store(claim, partial));
          if (isFault(answer)) return answer;
          if (!isRefusal(partial, answer.status, answer.headers)) return wholeAnswer(answer, partial);
          await claim?.forget(false);
        }
        return client.send(hop, trip, key, follows, this.#store(claim, undefined));
      },
    };
  }

  #store(claim: PartialClaim | undefined, partial: Partial | undefined): BodyStore {
    const { received, unpacked } = this.#places.limits;
    const targetOf = (status: number, headers: AnswerHeaders): BodyTarget => {
      if (status === 206 && partial !== undefined)
        return claim?.target(completed(partial, headers), partial) ?? this.#temporary();
      const version: BodyVersion | undefined = claim && versionOf(this.#url, status, headers);
      return (version && claim?.target(version)) ?? this.#temporary();
    };
    return {
      maxBody: received,
      refuses: (status, headers) => partial !== undefined && isRefusal(partial, status, headers),
      inMemory: (status, headers) => {
        if (isCoded(headers)) return LARGE_CODED;
        if (status === 206 && partial !== undefined) return 0;
        const { length = 0 } = versionOf(this.#url, status, headers) ?? {};
        return length > LARGE ? 0 : LARGE;
      },
      open: ({ status, headers, host }, first, onError) => {
        const maxBody = isCoded(headers) ? unpacked : received;
        return new BodyFile(
          this.#counted(targetOf(status, headers)),
          { headers, host, maxBody },
          first,
          onError,
        );
      },
    };
  }

  /** Returns a file that is useless if the body breaks off. */
  #temporary(): BodyTarget {
    const { temporary } = this.#name;
    const nothing = async (): Promise<void> => {};
    return {
      path: temporary,
      isLasting: false,
      open: async () => ({ ...(await openTemporary(temporary)), hash: createHash('sha256'), bytes: 0 }),
      wrote: () => undefined,
      keep: async () => false,
      forget: nothing,
      ended() {},
    };
  }

  #counted(target: BodyTarget): BodyTarget {
    const wrote: BodyTarget['wrote'] = (body, bytes) => {
      this.#places.bytes += bytes;
      return target.wrote(body, bytes);
    };
    return { ...target, wrote };
  }

  async take({ body, file }: Answer, ending: string, isFinal: boolean): Promise<WrittenBody | Failure> {
    const sealed = (await file?.seal()) ?? (await this.#write(body));
    const placed = await this.#name.place(sealed, ending).catch(async (error) => {
      if (sealed.path.endsWith('.tmp')) await rm(sealed.path, { force: true }); // any other is continued later
      throw error;
    });
    if ('code' in placed) await rm(sealed.path, { force: true });
    if (isFinal) await this.#claim?.forget(true);
    return 'code' in placed ? placed : { ...sealed, path: placed.path };
  }

  async #write(body: Buffer): Promise<WrittenBody> {
    const path = await writeTemporary(this.#name.temporary, body);
    this.#places.bytes += body.length;
    return { path, bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') };
  }

  /** Ends the attempt. */
  async release(): Promise<void> {
    this.#name.release();
    await this.#claim?.release();
  }
}

/** Returns the folder that all files of a template are in; undefined if it is a folder without attributes. */
function folderOf(typed: string): string | undefined {
  const { names, start } = compileTemplate(typed);
  if (names.length === 0) return undefined;
  return start.includes('/') ? start.slice(0, start.lastIndexOf('/')) || '/' : '.';
}

function withHeaders(hop: HttpRequest, headers: HeaderList): HttpRequest {
  return { ...hop, headers: mergeHeaders(hop.headers, headers) };
}
