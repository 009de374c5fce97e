import { randomBytes } from 'node:crypto';
import { basename } from 'node:path';
import { TaskpipeError } from '../../../core/base/errors.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import type { Failure, Task } from '../../../core/record/task.ts';
import { compileTemplate, type Template } from '../../../core/record/template.ts';
import { type BodyTemplate, compileBody, languageOfType } from './body-template.ts';
import { compilePath } from './file-path.ts';
import type { BodyPart, BodySource, RequestBody } from './request-body.ts';

/** Field of `--form`, compiled. Values of a record cannot change the kind of the field. */
interface FormField {
  readonly name: string;
  /** Text of the field, or function that returns the path of its file. */
  readonly content: BodyTemplate | ((task: Task) => string | Failure);
  /** True if the file is sent as text, without a file name. */
  readonly isText: boolean;
  readonly type: Template | undefined;
  readonly filename: Template | undefined;
}

/** Field for one task. */
interface FormPart {
  readonly name: string;
  readonly content: BodyPart;
  readonly filename: string | undefined;
  readonly type: string | undefined;
}

/** Function that returns the content type of a path by its ending; null if it is unknown. */
type TypeOfPath = (path: string) => string | null;

/** Returns the source of multipart bodies, from fields as `curl --form` has them. @throws {TaskpipeError} `USAGE` */
export function formSource(typed: readonly string[], typeOf: TypeOfPath): BodySource {
  const fields = typed.map((field) => {
    try {
      return compileField(field);
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      throw new TaskpipeError('USAGE', `--form ${error.message}`);
    }
  });
  return (task, said) => {
    if (said !== undefined && !/^multipart\//i.test(said.trim()))
      return { code: 'REQUEST', message: `--form sends a multipart body, not ${said}; remove that header` };
    const parts: FormPart[] = [];
    for (const field of fields) {
      const part = partOf(field, task, typeOf);
      if ('code' in part) return part;
      parts.push(part);
    }
    return multipart(parts, said);
  };
}

/** Parses `NAME=TEXT`, `NAME=@FILE` or `NAME=<FILE`, with `;type=…` and `;filename=…`. @throws {InvalidValue} */
export function compileField(typed: string): FormField {
  const equals = typed.indexOf('=');
  if (equals < 1) throw new InvalidValue('must be NAME=TEXT or NAME=@FILE, such as file=@{path}');
  const name = typed.slice(0, equals);
  const { value, params } = splitParams(typed.slice(equals + 1));
  const template = (key: string): Template | undefined => {
    const text = params.get(key);
    return text === undefined ? undefined : compileTemplate(text);
  };
  const [type, filename] = [template('type'), template('filename')];
  const sign = value.charAt(0);
  if (sign !== '@' && sign !== '<')
    return { name, content: compileBody(unquoted(value)), isText: true, type, filename };
  const path = unquoted(value.slice(1));
  if (path === '' || path === '-')
    throw new InvalidValue(
      `must name a file after ${sign}, such as ${name}=${sign}{path}; stdin has the tasks`,
    );
  return { name, content: compilePath(path, '--form'), isText: sign === '<', type, filename };
}

/** Splits the value of a field from its parameters. */
function splitParams(text: string): { value: string; params: Map<string, string> } {
  const [quoted = ''] = /^[@<]?"(?:[^"\\]|\\.)*"/s.exec(text) ?? [];
  const [first = '', ...rest] = text.slice(quoted.length).split(/;\s*(?=(?:type|filename)=)/);
  const params = rest.map((param): [string, string] => {
    const at = param.indexOf('=');
    return [param.slice(0, at), unquoted(param.slice(at + 1))];
  });
  return { value: quoted + first, params: new Map(params) };
}

function unquoted(text: string): string {
  return /^"(?:[^"\\]|\\.)*"$/s.test(text) ? text.slice(1, -1).replace(/\\(["\\])/g, '$1') : text;
}

function partOf(field: FormField, task: Task, typeOf: TypeOfPath): FormPart | Failure {
  const type = field.type?.expand(task);
  if (typeof type === 'object') return type;
  const filename = field.filename?.expand(task);
  if (typeof filename === 'object') return filename;
  const { name, content, isText } = field;
  if (type !== undefined && /[\r\n]/.test(type))
    return { code: 'REQUEST', message: `the type of the form field "${name}" has a line break` };
  if (typeof content !== 'function') {
    const text = content.expand(task, languageFor(content, type));
    return typeof text === 'string' ? { name, content: text, filename, type } : text;
  }
  const path = content(task);
  if (typeof path !== 'string') return path;
  if (isText) return { name, content: { path }, filename, type };
  const usual = typeOf(path) ?? 'application/octet-stream';
  return { name, content: { path }, filename: filename ?? basename(path), type: type ?? usual };
}

/** Returns the language of a text field. Inside a form, text like `a=1` is plain text. */
function languageFor({ language }: BodyTemplate, type: string | undefined): BodyTemplate['language'] {
  if (type !== undefined) return languageOfType(type);
  return language === 'form' ? 'text' : language;
}

/** Returns a body of parts (RFC 7578). @param said content type from a header, such as `multipart/related` */
function multipart(parts: readonly FormPart[], said: string | undefined): RequestBody {
  const [, own] = /;\s*boundary="?([^";]+)"?/i.exec(said ?? '') ?? [];
  const boundary = own ?? `taskpipe-${randomBytes(16).toString('hex')}`;
  const pieces = parts.flatMap(({ name, content, filename, type }, i) => {
    const file = filename === undefined ? '' : `; filename="${escaped(filename)}"`;
    const kind = type === undefined ? '' : `\r\nContent-Type: ${type}`;
    const start = `${i === 0 ? '' : '\r\n'}--${boundary}\r\nContent-Disposition: form-data; name="${escaped(name)}"${file}${kind}\r\n\r\n`;
    return [start, content];
  });
  const type =
    own === undefined ? `${said ?? 'multipart/form-data'}; boundary=${boundary}` : (said as string);
  return {
    text: '',
    upload: { parts: [...pieces, `\r\n--${boundary}--\r\n`], curl: () => parts.flatMap(curlWords) },
    type,
    setsType: true,
  };
}

/** Escapes a name as browsers and curl do (HTML Standard, 4.10.21.8). */
function escaped(name: string): string {
  return name.replace(/["\r\n]/g, (sign) => encodeURIComponent(sign));
}

/** Returns the arguments of curl that send the same field. */
function curlWords({ name, content, filename, type }: FormPart): string[] {
  const more = type === undefined ? '' : `;type=${type}`;
  const named = filename === undefined ? '' : `;filename=${inQuotes(filename)}`;
  if (typeof content !== 'string')
    return [
      '--form',
      `${name}=${filename === undefined ? '<' : '@'}${inQuotes(content.path)}${more}${named}`,
    ];
  if (more === '' && named === '') return ['--form-string', `${name}=${content}`];
  return ['--form', `${name}=${inQuotes(content)}${more}${named}`];
}

function inQuotes(text: string): string {
  return `"${text.replace(/["\\]/g, '\\$&')}"`;
}
