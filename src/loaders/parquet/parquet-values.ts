import { isUtf8 } from 'node:buffer';
import { TextDecoder } from 'node:util';
import type { ParquetParsers, SchemaElement, SchemaTree } from 'hyparquet';
import { isJson } from '../../core/record/exact-values.ts';
import { minify } from '../../core/record/json-text.ts';

/** Error for text in a column that is not valid UTF-8. */
export class NotUtf8 extends Error {}

const MS = { MILLIS: 1000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n } as const;
type Unit = keyof typeof MS;

const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Parsers for hyparquet that leave values as they are stored, so that `jsonOf` can write them exactly. */
export const PLAIN_PARSERS: Partial<ParquetParsers> = {
  ...Object.fromEntries(
    [
      ...[
        'timestampFromMilliseconds',
        'timestampFromMicroseconds',
        'timestampFromNanoseconds',
        'dateFromDays',
      ],
      ...['jsonFromBytes', 'geometryFromBytes', 'geographyFromBytes', 'uuidFromBytes'],
    ].map((name) => [name, (value: unknown) => value]),
  ),
  // Text that is not UTF-8 stays bytes, which `jsonOf` rejects.
  stringFromBytes: (bytes) => (bytes === undefined || !isUtf8(bytes) ? bytes : decoder.decode(bytes)),
};

/**
 * Returns a value of a column as JSON text; undefined if it is null.
 * @throws {NotUtf8}
 */
export function jsonOf(
  value: unknown,
  { element, children }: SchemaTree,
  isItem = false,
): string | undefined {
  if (value === null || value === undefined) return undefined;
  if (Array.isArray(value)) {
    const item = isItem || element.repetition_type !== 'REPEATED' ? itemOf(children) : undefined;
    const node = item ?? { element: { ...element, repetition_type: 'OPTIONAL' }, children };
    return `[${value.map((one) => jsonOf(one, node as SchemaTree, true) ?? 'null').join(',')}]`;
  }
  if (children.length === 0) return leafJson(value, element);
  if (isMap(element)) return mapJson(value as object, children);
  const members = children.map((child) => {
    const member = (value as Readonly<Record<string, unknown>>)[child.element.name];
    return `${JSON.stringify(child.element.name)}:${jsonOf(member, child) ?? 'null'}`;
  });
  return `{${members.join(',')}}`;
}

function isMap({ converted_type: kind, logical_type: logical }: SchemaElement): boolean {
  return kind === 'MAP' || kind === 'MAP_KEY_VALUE' || logical?.type === 'MAP';
}

/** Returns the column of the items of a list: the only child of the only child, or the child itself. */
function itemOf([child]: readonly SchemaTree[]): SchemaTree | undefined {
  return child?.children.length === 1 ? child.children[0] : child;
}

function mapJson(value: object, [pair]: readonly SchemaTree[]): string {
  const node = pair?.children[1];
  const entries = value instanceof Map ? [...value] : Object.entries(value);
  const members = entries.map(([key, one]) => {
    const json = node === undefined ? undefined : jsonOf(one, node);
    return `${JSON.stringify(String(key))}:${json ?? 'null'}`;
  });
  return `{${members.join(',')}}`;
}

function leafJson(value: unknown, element: SchemaElement): string {
  const { type, converted_type: kind, logical_type: logical } = element;
  if (logical?.type === 'DECIMAL' || kind === 'DECIMAL') return decimal(value, element);
  if (value instanceof Uint8Array) return bytesJson(Buffer.from(value), element);
  if (typeof value === 'string' || typeof value === 'boolean') return JSON.stringify(value);
  if (kind === 'DATE' || logical?.type === 'DATE') return `"${isoDay(BigInt(value as number))}"`;
  if (type === 'INT96') return timestamp(value as bigint, 'NANOS', false);
  const unit = unitOf(element);
  if (unit !== undefined && isTime(element)) return `"${clock(BigInt(value as number), MS[unit])}"`;
  if (unit !== undefined) {
    const isUtc = logical?.type === 'TIMESTAMP' ? logical.isAdjustedToUTC : true;
    return timestamp(BigInt(value as number), unit, isUtc);
  }
  return typeof value === 'number' ? numberJson(value, type === 'FLOAT') : String(value);
}

function isTime({ converted_type: kind, logical_type: logical }: SchemaElement): boolean {
  return logical?.type === 'TIME' || kind === 'TIME_MILLIS' || kind === 'TIME_MICROS';
}

function unitOf({ converted_type: kind, logical_type: logical }: SchemaElement): Unit | undefined {
  if (logical?.type === 'TIMESTAMP' || logical?.type === 'TIME') return logical.unit as Unit;
  if (kind === 'TIMESTAMP_MILLIS' || kind === 'TIME_MILLIS') return 'MILLIS';
  return kind === 'TIMESTAMP_MICROS' || kind === 'TIME_MICROS' ? 'MICROS' : undefined;
}

function bytesJson(bytes: Buffer, { converted_type: kind, logical_type: logical }: SchemaElement): string {
  const what = logical?.type ?? kind;
  if (what === 'UUID') {
    const hex = bytes.toString('hex');
    return `"${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}"`;
  }
  if (what !== 'UTF8' && what !== 'STRING' && what !== 'ENUM' && what !== 'JSON')
    return `"${bytes.toString('base64')}"`;
  if (!isUtf8(bytes)) throw new NotUtf8();
  const text = bytes.toString();
  return what === 'JSON' && isJson(text) ? minify(text) : JSON.stringify(text);
}

/** Returns a decimal number with all digits that its column has. */
function decimal(value: unknown, { scale = 0 }: SchemaElement): string {
  const whole = value instanceof Uint8Array ? bigOf(value) : BigInt(value as number | bigint);
  const digits = String(whole < 0n ? -whole : whole).padStart(scale + 1, '0');
  const sign = whole < 0n ? '-' : '';
  return scale === 0 ? `${sign}${digits}` : `${sign}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

function bigOf(bytes: Uint8Array): bigint {
  if (bytes.length === 0) return 0n;
  return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
}

/** Returns a number; infinity as in rows of SQLite, and NaN, which JSON does not have, as text. */
function numberJson(value: number, isFloat: boolean): string {
  if (Number.isNaN(value)) return '"NaN"';
  if (!Number.isFinite(value)) return value < 0 ? '-1e999' : '1e999';
  if (Object.is(value, -0)) return '-0.0';
  if (!isFloat || Number.isInteger(value)) return JSON.stringify(value);
  // The shortest decimal number that rounds to this one in 32 bits.
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return JSON.stringify(short);
  }
  return JSON.stringify(Number(value.toPrecision(9)));
}

const DAY = 86_400n;

function timestamp(count: bigint, unit: Unit, isUtc: boolean): string {
  const perDay = DAY * MS[unit];
  let days = count / perDay;
  if (count < days * perDay) days--;
  return `"${isoDay(days)}T${clock(count - days * perDay, MS[unit])}${isUtc ? 'Z' : ''}"`;
}

function isoDay(days: bigint): string {
  const date = new Date(Number(days) * 86_400_000);
  // JavaScript has no dates beyond the year 275760.
  return Number.isNaN(date.getTime()) ? `${days} days` : date.toISOString().replace(/T.*/, '');
}

/** Returns hours, minutes, seconds, and the fraction if there is one. */
function clock(count: bigint, perSecond: bigint): string {
  const two = (value: bigint): string => String(value).padStart(2, '0');
  const seconds = count / perSecond;
  const text = `${two(seconds / 3600n)}:${two((seconds / 60n) % 60n)}:${two(seconds % 60n)}`;
  const fraction = count % perSecond;
  return fraction === 0n ? text : `${text}.${String(fraction).padStart(String(perSecond).length - 1, '0')}`;
}
