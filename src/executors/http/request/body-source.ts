import { readFile } from 'node:fs/promises';
import { ioError, TaskpipeError } from '../../../core/base/errors.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { type BodyTemplate, compileBody, languageOfType, mustBeJson } from './body-template.ts';
import { compilePath } from './file-path.ts';
import { formSource } from './form-fields.ts';
import { type BodySource, TYPES } from './request-body.ts';

export interface BodyOptions {
  readonly data?: string | undefined;
  readonly form?: readonly string[] | undefined;
  readonly bodyFile?: string | undefined;
}

/**
 * Returns the source of the bodies; undefined if no option has one.
 * @param type content type of all requests, from `--header`
 * @throws {TaskpipeError} `USAGE` if the options are invalid, `IO` if the file of `--data` cannot be read
 */
export async function openBodySource(
  { data, form = [], bodyFile }: BodyOptions,
  type: string | undefined,
  asJson: boolean,
): Promise<BodySource | undefined> {
  const given = { '--data': data, '--form': form[0], '--body-file': bodyFile };
  const names = Object.entries(given).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (names.length > 1)
    throw new TaskpipeError('USAGE', `a request has one body: give ${names.join(' or ')}, not both`);
  if (data !== undefined) return dataSource(await readData(data), type, asJson);
  if (form.length === 0 && bodyFile === undefined) return undefined;
  const { default: mime } = await import('mime'); // only here, since few runs need its table
  const typeOf = (path: string): string | null => mime.getType(path);
  return bodyFile === undefined ? formSource(form, typeOf) : fileSource(bodyFile, typeOf);
}

function fileSource(bodyFile: string, typeOf: (path: string) => string | null): BodySource {
  const pathFor = compilePath(bodyFile, '--body-file');
  return (task, said) => {
    const path = pathFor(task);
    if (typeof path !== 'string') return path;
    const upload = { parts: [{ path }], curl: () => ['--data-binary', `@${path}`] };
    return { text: '', upload, type: said ?? typeOf(path) ?? 'application/octet-stream' };
  };
}

/** Reads the text of `--data`: the text itself, or `@FILE`. */
async function readData(typed: string): Promise<string> {
  if (!typed.startsWith('@')) return typed;
  if (typed === '@-')
    throw new TaskpipeError('USAGE', '--data @- cannot be read: stdin has the tasks; use a file');
  try {
    return (await readFile(typed.slice(1), 'utf8')).replace(/^\ufeff|\r?\n$/g, '');
  } catch (error) {
    throw ioError('cannot read --data', typed.slice(1), error);
  }
}

function dataSource(source: string, usual: string | undefined, asJson: boolean): BodySource {
  const template = compiled(source, usual, asJson);
  return (task, said, isJson) => {
    const language = isJson ? 'json' : said === undefined ? template.language : languageOfType(said);
    const text = template.expand(task, language);
    return typeof text === 'string' ? { text, type: TYPES[language] } : text;
  };
}

function compiled(source: string, type: string | undefined, asJson: boolean): BodyTemplate {
  try {
    if (type === undefined || asJson) mustBeJson(source);
    return compileBody(source);
  } catch (error) {
    if (error instanceof InvalidValue) throw new TaskpipeError('USAGE', `--data ${error.message}`);
    throw error;
  }
}
