import type { FoundRow } from '../contract.ts';
import type { OutputFile } from './output-file.ts';

/** No commit writes more: 8 MB of characters, of 3 bytes at most, and the record that went over. */
const MOST = 64 * 1024 * 1024;
/** What a disk writes is whole sectors. */
const SECTOR = 512;

/** Returns whether a row may be as a crash leaves it: cut short, at the end of the file, or with a hole. */
export async function isTorn(output: OutputFile, { damage, start, end }: FoundRow): Promise<boolean> {
  if (damage === undefined) return false;
  return damage === 'nul' ? isUnsynced(output, start) : end >= output.size;
}

/**
 * Whether what stands from `at` may be what a power loss has left of a commit that was not synced: parts of it never
 * came to the disk, and are NULs, from the commit's start or that of a sector to the end of a sector, or to the end
 * of the file. A NUL from another source is hardly ever aligned so.
 * @param at where the first row begins that is not whole
 */
export async function isUnsynced(output: OutputFile, at: number): Promise<boolean> {
  if (output.size - at > MOST) return false;
  let place = at;
  /** Where the NULs begin that reach up to here. */
  let hole: number | undefined;
  for await (const bytes of output.chunks(at)) {
    for (let i = 0; i < bytes.length; ) {
      if (hole === undefined) {
        const next = bytes.indexOf(0, i);
        if (next < 0) break;
        hole = place + next;
        i = next;
      }
      while (i < bytes.length && bytes[i] === 0) i++;
      if (i === bytes.length) break;
      if (!isHole(hole, place + i, at)) return false;
      hole = undefined;
    }
    place += bytes.length;
  }
  return true;
}

function isHole(from: number, to: number, start: number): boolean {
  return (from === start || from % SECTOR === 0) && to % SECTOR === 0;
}
