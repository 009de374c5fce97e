import type { FoundRow } from '../contract.ts';
import type { OutputFile } from './output-file.ts';

/**
 * Upper bound of a commit in bytes: 8 Mi characters of at most 3 bytes each, and the record that exceeds
 * them.
 */
const MOST = 64 * 1024 * 1024;
/** Bytes of a sector: disks write whole sectors. */
const SECTOR = 512;

/** Returns true if a crash may have torn a row: it is cut short at the end of the file, or has a hole. */
export async function isTorn(output: OutputFile, { damage, start, end }: FoundRow): Promise<boolean> {
  if (damage === undefined) return false;
  return damage === 'nul' ? isUnsynced(output, start) : end >= output.size;
}

/**
 * Returns true if the bytes from `at` may be an unsynced commit after a power loss. Parts that never reached
 * the disk are NULs: from the start of the commit or of a sector, to the end of a sector or of the file. NULs
 * from another source are hardly ever aligned like this.
 * @param at start of the first row that is not whole
 */
export async function isUnsynced(output: OutputFile, at: number): Promise<boolean> {
  if (output.size - at > MOST) return false;
  let place = at;
  /** Start of the NULs that end here. */
  let gap: number | undefined;
  for await (const bytes of output.chunks(at)) {
    for (let i = 0; i < bytes.length; ) {
      if (gap === undefined) {
        const next = bytes.indexOf(0, i);
        if (next < 0) break;
        gap = place + next;
        i = next;
      }
      while (i < bytes.length && bytes[i] === 0) i++;
      if (i === bytes.length) break;
      if (!isHole(gap, place + i, at)) return false;
      gap = undefined;
    }
    place += bytes.length;
  }
  return true;
}

function isHole(from: number, to: number, start: number): boolean {
  return (from === start || from % SECTOR === 0) && to % SECTOR === 0;
}
