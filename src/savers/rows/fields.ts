import { TaskpipeError } from '../../core/base/errors.ts';
import { InvalidValue } from '../../core/options/option.ts';

/** A column of `--fields`. */
export interface Field {
  /** The name of the column. */
  readonly name: string;
  /** The path of the attribute that fills it. */
  readonly path: string;
  /** Whether the name was given too (`NAME=PATH`), so that an unknown path is not a typo if it equals the name. */
  readonly isNamed: boolean;
}

/** A field as the library takes it: a path, which is then the name too, or both. */
export type FieldOption = string | { readonly name: string; readonly path: string };

/**
 * Returns the fields that were given to the library.
 * @throws {TaskpipeError} `USAGE`
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

/** One part of a field: text between double quotes, in which a quote is doubled, or text without a comma or `=`. */
const NAME = /"((?:[^"]|"")+)"(?=[,=]|$)|((?!")[^,=]+)/y;
/** A path may have `=` in it. */
const PATH = /"((?:[^"]|"")+)"(?=,|$)|((?!")[^,]+)/y;

/**
 * Parses `--fields`: `PATH` or `NAME=PATH`, with commas between them. A name or path with a comma, or a name with `=`,
 * stands in double quotes.
 * @throws {Rule}
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
