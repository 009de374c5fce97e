import { TaskpipeError } from '../../core/base/errors.ts';
import { InvalidValue } from '../../core/options/option.ts';

/** A column of `--fields`. */
export interface Field {
  /** Name of the column. */
  readonly name: string;
  /** Path of the attribute that fills it. */
  readonly path: string;
  /**
   * True if the name was given too (`NAME=PATH`): an unknown path that equals the name is then not a typo.
   */
  readonly isNamed: boolean;
}

/** A field as the library accepts it: a path, which is also the name, or both. */
export type FieldOption = string | { readonly name: string; readonly path: string };

/**
 * Returns the fields that were given to the library, checked.
 * @throws {TaskpipeError} `USAGE` if two have one name, or the column `uuid` holds another attribute
 */
export function fieldsOf(given: readonly FieldOption[]): readonly Field[] {
  const fields = given.map((field) =>
    typeof field === 'string' ? { name: field, path: field, isNamed: false } : { ...field, isNamed: true },
  );
  checkFields(fields);
  return fields;
}

function checkFields(fields: readonly Field[]): void {
  const names = fields.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `--fields must name each column once; got ${JSON.stringify(twice)} twice`,
    );
  const other = fields.find(({ name, path }) => name === 'uuid' && path !== 'uuid');
  if (other !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `--fields: the column uuid must hold the uuid of the task; got uuid=${other.path}`,
    );
}

/** Name in a field: text in double quotes, with inner quotes doubled, or text without a comma or `=`. */
const NAME = /"((?:[^"]|"")+)"(?=[,=]|$)|((?!")[^,=]+)/y;
/** Path in a field: the same, but `=` is allowed without quotes. */
const PATH = /"((?:[^"]|"")+)"(?=,|$)|((?!")[^,]+)/y;

/**
 * Parses `--fields`: `PATH` or `NAME=PATH`, separated by commas. A name or path with a comma, or a name with
 * `=`, must be in double quotes.
 * @throws {InvalidValue}
 */
export function parseFields(typed: string): FieldOption[] {
  const fields: FieldOption[] = [];
  for (let at = 0; at <= typed.length; ) {
    const [name, afterName] = partAt(NAME, typed, at);
    const isNamed = typed[afterName] === '=';
    const [path, end] = isNamed ? partAt(PATH, typed, afterName + 1) : [name, afterName];
    if (name === '' || path === '' || (end < typed.length && typed[end] !== ','))
      throw new InvalidValue(
        'must be attributes with commas between them, as in uuid,url,stock=result.json.stock',
      );
    fields.push(isNamed ? { name, path } : path);
    at = end + 1;
  }
  return fields;
}

function partAt(part: RegExp, text: string, at: number): [text: string, end: number] {
  part.lastIndex = at;
  const [all = '', quoted, plain = ''] = part.exec(text) ?? [];
  return [quoted === undefined ? plain : quoted.replaceAll('""', '"'), at + all.length];
}
