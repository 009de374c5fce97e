import { messageOf, TaskpipeError } from '../../core/base/errors.ts';
import { isUnsynced } from '../file/crash-damage.ts';
import type { OutputFile } from '../file/output-file.ts';
import type { Codec } from './contract.ts';
import { type Damage, MemberIndex, memberAt } from './member-index.ts';

/** Options for opening a packed output. */
export interface PackedOptions {
  readonly codec: Codec;
  /** Length of its contents before a run that did not end cleanly; undefined if the last run did. */
  readonly markedEnd: number | undefined;
  /** Writes a line to stderr. */
  readonly warn: (message: string) => void;
}

/**
 * Returns an output whose members are packed, as a file of their contents: its size and places are those of the
 * contents. Moves a member that a crash has torn to a file beside it.
 * @throws {TaskpipeError} `DATA` if another program has packed it, or a member is damaged and a crash cannot have
 *   torn it
 */
export async function openPacked(file: OutputFile, options: PackedOptions): Promise<OutputFile> {
  const { codec, markedEnd, warn } = options;
  const index = await MemberIndex.of(file, codec);
  const damage =
    index.damage ?? (markedEnd === undefined ? undefined : await index.verify(file, codec, markedEnd));
  if (damage !== undefined) {
    const isOurs = markedEnd !== undefined && index.plainEnd >= markedEnd;
    const isTorn = isOurs && (damage.isCut || (await isUnsynced(file, index.end)));
    if (!isTorn) throw damaged(file.path, codec, index.end, damage);
    const bytes = file.size - index.end;
    const side = await file.cut(index.end);
    warn(
      `${file.path}: the last run did not end well; ${bytes} bytes of unfinished rows were moved to ${side}`,
    );
  }
  return new PackedFile(file, codec, index);
}

function damaged(path: string, { name, tool }: Codec, at: number, { words }: Damage): TaskpipeError {
  const remedy =
    at === 0
      ? `unpack it with ${tool}, and save to that file, or to a new one`
      : `put the file back, or unpack the intact part with ${tool}, and save to that file`;
  return new TaskpipeError('DATA', `${path}: at byte ${at} ${words}; to add rows to ${name} data, ${remedy}`);
}

class PackedFile implements OutputFile {
  readonly #file: OutputFile;
  readonly #codec: Codec;
  readonly #index: MemberIndex;

  constructor(file: OutputFile, codec: Codec, index: MemberIndex) {
    this.#file = file;
    this.#codec = codec;
    this.#index = index;
  }

  get path(): string {
    return this.#file.path;
  }

  get isNew(): boolean {
    return this.#file.isNew;
  }

  get size(): number {
    return this.#index.plainEnd;
  }

  get mode(): number {
    return this.#file.mode;
  }

  get stamp(): string {
    return this.#file.stamp;
  }

  async *chunks(from: number): AsyncGenerator<Buffer> {
    const index = this.#index;
    for (let i = index.find(from); i < index.count; i++) {
      const { start, end, plainStart } = index.member(i);
      let plain: Buffer;
      try {
        plain = await this.#codec.unpack(await memberAt(this.#file, start, end));
      } catch (error) {
        throw damaged(this.path, this.#codec, start, {
          words: `the data is damaged (${messageOf(error)})`,
          isCut: false,
        });
      }
      yield plain.subarray(Math.max(0, from - plainStart));
    }
  }

  async append(bytes: Buffer): Promise<void> {
    const member = await this.#codec.pack(bytes);
    await this.#file.append(member);
    this.#index.add({ packed: member.length, plain: bytes.length });
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  check(details?: Parameters<OutputFile['check']>[0]): Promise<void> {
    return this.#file.check(details);
  }

  isUnchanged(): boolean {
    return this.#file.isUnchanged();
  }

  renamed(path: string): void {
    this.#file.renamed(path);
  }

  /** @throws {TaskpipeError} `DATA` if `at` is inside a member, as after an edit */
  async cut(at: number): Promise<string> {
    const place = this.#index.startAt(at);
    if (place === undefined)
      throw new TaskpipeError(
        'DATA',
        `${this.path}: the row at byte ${at} of its contents is not whole, and others were packed with it; unpack the file with ${this.#codec.tool}, correct it, and save to that file`,
      );
    const side = await this.#file.cut(place);
    this.#index.cutAt(at);
    return side;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}
