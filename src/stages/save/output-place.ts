import { hash } from 'node:crypto';
import { isPostgres, PORT, postgresAddress } from '../../core/postgres/postgres-address.ts';
import { TABLE } from '../../core/postgres/postgres-table.ts';
import { isS3, s3Address } from '../../core/s3/s3-address.ts';

/** Returns the path of an output; undefined if it is not a file. */
export function outputFile(out: string): string | undefined {
  return out === '-' || isPostgres(out) || isS3(out) ? undefined : withoutSlash(out);
}

/**
 * Returns the default path of the rest file. Two outputs never share one: records of one output would be removed when
 * tasks of the same uuids are saved to the other one.
 * @param table table of a database
 */
export function restFileOf(out: string, table?: string): string {
  const name = isPostgres(out) ? tableName(out, table) : isS3(out) ? prefixName(out) : undefined;
  return `${name ?? (out === '-' ? 'task-save' : withoutSlash(out))}.rest.ndjson`;
}

function tableName(out: string, table: string | undefined): string {
  const { host, port, database, table: named } = postgresAddress(out);
  const server = port === PORT ? [host] : [host, String(port)];
  return fileName(['postgres', ...server, database, table ?? named ?? TABLE]);
}

function prefixName(out: string): string {
  const { bucket, key } = s3Address(out);
  return fileName(['s3', bucket, ...(key === '' ? [] : key.replace(/\/$/, '').split('/'))]);
}

/** Longest name, in bytes, with room for the endings of the rest file; and the length to which a longer one is cut. */
const LONGEST = 180;
const CUT = 160;

/** Returns a file name for the parts of an address. Different parts give different names. */
function fileName(parts: readonly string[]): string {
  const name = parts.map(encoded).join('+');
  const bytes = Buffer.from(name);
  if (bytes.length <= LONGEST) return name;
  const start = bytes.toString('utf8', 0, CUT).replace(/\ufffd+$/, '');
  return `${start}=${hash('sha256', name).slice(0, 16)}`; // no other name has `=`
}

/** Encodes a part by letters, digits, `-`, `_`, `.` and `%`. */
function encoded(part: string): string {
  return part.replace(/[^\p{L}\p{N}._-]/gu, (character) =>
    [...Buffer.from(character)]
      .map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`)
      .join(''),
  );
}

/** Returns the path of a folder without the slash at its end. */
function withoutSlash(out: string): string {
  return out.replace(/(?<=.)\/+$/, '');
}
