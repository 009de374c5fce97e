import { messageOf } from '../../core/base/errors.ts';
import type { OutputFile } from '../file/output-file.ts';
import type { Codec, Lengths } from './contract.ts';

/** First place of a packed output that is not a whole member. */
export interface Damage {
  /** Description, to follow the place in a message. */
  readonly words: string;
  /** True if it is a last member that the file does not contain completely. */
  readonly isCut: boolean;
}

/** A member, with its places in the file and in the contents. */
export interface PackedMember {
  readonly start: number;
  readonly end: number;
  readonly plainStart: number;
}

/** Places of the members of a packed output. */
export class MemberIndex {
  /** Ends of the members in the file. */
  readonly #ends: number[] = [];
  /** Ends of the members in the contents. */
  readonly #plainEnds: number[] = [];
  /** Reason the bytes from `end` on are not members. */
  damage: Damage | undefined;

  /** Reads the places of all members, without unpacking them. */
  static async of(file: OutputFile, codec: Codec): Promise<MemberIndex> {
    const index = new MemberIndex();
    let at = 0; // start of the chunk
    let held: Buffer = Buffer.alloc(0);
    for await (const chunk of file.chunks(0)) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([held, chunk]);
      const first = at - held.length;
      at += chunk.length;
      while (index.end + codec.headLength <= at && index.damage === undefined)
        index.#take(bytes.subarray(index.end - first), codec, file.size);
      if (index.damage !== undefined) return index;
      held = index.end < at ? Buffer.from(bytes.subarray(index.end - first)) : Buffer.alloc(0);
    }
    const isStart = codec.start.subarray(0, held.length).equals(held.subarray(0, codec.start.length));
    if (index.end < file.size) index.damage = isStart ? CUT : index.#foreign(codec);
    return index;
  }

  #take(bytes: Buffer, codec: Codec, size: number): void {
    const lengths = codec.lengthsIn(bytes.subarray(0, codec.headLength));
    if (lengths === undefined) this.damage = this.#foreign(codec);
    else if (this.end + lengths.packed > size) this.damage = CUT;
    else this.add(lengths);
  }

  #foreign({ name }: Codec): Damage {
    const words =
      this.count === 0
        ? `is not ${name} data of task-save, but plain text or packed by another program`
        : 'begins something that task-save did not write';
    return { words, isCut: false };
  }

  /**
   * Unpacks the members from a place in the contents on.
   * @returns the damage of the first one that is not whole, which then ends the index
   */
  async verify(file: OutputFile, codec: Codec, from: number): Promise<Damage | undefined> {
    for (let i = this.find(from); i < this.count; i++) {
      const { start, end, plainStart } = this.member(i);
      try {
        const { length } = await codec.unpack(await memberAt(file, start, end));
        if (plainStart + length === this.#plainEnds[i]) continue;
        throw new Error('its length differs');
      } catch (error) {
        this.cutAt(plainStart);
        return { words: `the data is damaged (${messageOf(error)})`, isCut: false };
      }
    }
    return undefined;
  }

  get count(): number {
    return this.#ends.length;
  }

  /** End of the last member in the file. */
  get end(): number {
    return this.#ends.at(-1) ?? 0;
  }

  /** End of the last member in the contents. */
  get plainEnd(): number {
    return this.#plainEnds.at(-1) ?? 0;
  }

  add({ packed, plain }: Lengths): void {
    this.#ends.push(this.end + packed);
    this.#plainEnds.push(this.plainEnd + plain);
  }

  member(i: number): PackedMember {
    const [start = 0, plainStart = 0] = i === 0 ? [] : [this.#ends[i - 1], this.#plainEnds[i - 1]];
    return { start, end: this.#ends[i] as number, plainStart };
  }

  /** Returns the number of the first member that ends after a place in the contents. */
  find(place: number): number {
    let [low, high] = [0, this.count];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#plainEnds[middle] as number) > place) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Returns the place in the file of a place in the contents; undefined if no member begins there. */
  startAt(place: number): number | undefined {
    if (place === this.plainEnd) return this.end;
    const { start, plainStart } = this.member(this.find(place));
    return plainStart === place ? start : undefined;
  }

  /** Forgets the members from a place in the contents on. */
  cutAt(place: number): void {
    const count = place === this.plainEnd ? this.count : this.find(place);
    this.#ends.length = count;
    this.#plainEnds.length = count;
  }
}

const CUT: Damage = { words: 'the data is cut short', isCut: true };

/** Reads the bytes of a member. */
export async function memberAt(file: OutputFile, start: number, end: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(end - start);
  let filled = 0;
  for await (const chunk of file.chunks(start)) {
    filled += chunk.copy(bytes, filled, 0, Math.min(chunk.length, bytes.length - filled));
    if (filled === bytes.length) break;
  }
  return bytes.subarray(0, filled);
}
