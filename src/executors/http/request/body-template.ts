import { jsonFault } from '../../../core/base/errors.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { attribute, type Failure, type Task } from '../../../core/record/task.ts';
import { attributeText } from '../../../core/record/template.ts';
import { isForm, wellFormed } from './params.ts';

/** Language of a body, by which values are escaped. */
export type BodyLanguage = 'json' | 'form' | 'xml' | 'text';

/** Compiled text with attributes of a task in it. Braces of JSON and of GraphQL are literal. */
export interface BodyTemplate {
  /** Language detected from the text. */
  readonly language: BodyLanguage;
  /** Returns the text for one task; a failure `TEMPLATE` if an attribute is missing. @throws {InvalidValue} */
  expand(task: Task, language: BodyLanguage): string | Failure;
}

interface Slot {
  readonly name: string;
  /** True if it stands inside a string of JSON. */
  readonly isQuoted: boolean;
}

/**
 * Placeholders. A brace of JSON is followed by a space, a quote or another brace, so it does not begin one. A name in
 * two pairs of braces is text: `{{id}}` is `{id}`.
 */
const TOKENS = /\{\{([^\s"{}][^"{}\n]*)\}\}|\{([^\s"{}][^"{}\n]*)\}/g;

/** Compiles a text such as `{"q":"{name}","n":{count}}` or `a={a}&b={b}`. */
export function compileBody(source: string): BodyTemplate {
  const slots: Slot[] = [];
  const texts: string[] = [''];
  let isInString = false;
  const add = (text: string): void => {
    texts[texts.length - 1] += text;
    isInString = endsInString(text, isInString);
  };
  let end = 0;
  for (const { 0: token, 1: escaped, 2: name = '', index } of source.matchAll(TOKENS)) {
    add(source.slice(end, index));
    if (escaped !== undefined) add(`{${escaped}}`);
    else {
      slots.push({ name: name.trim(), isQuoted: isInString });
      texts.push('');
    }
    end = index + token.length;
  }
  add(source.slice(end));
  return {
    language: languageOf(texts),
    expand(task, language) {
      let text = texts[0] as string;
      for (const [i, slot] of slots.entries()) {
        const value = escapedValue(task, slot, language);
        if (value === undefined)
          return {
            code: 'TEMPLATE',
            message: `the body needs {${slot.name}}, which the record does not have; a brace itself is written {{${slot.name}}}`,
          };
        text += value + texts[i + 1];
      }
      return text;
    },
  };
}

/** Returns the language of a content type. */
export function languageOfType(type: string): BodyLanguage {
  const essence = (type.split(';', 1)[0] as string).trim().toLowerCase();
  if (essence === 'application/x-www-form-urlencoded') return 'form';
  if (/[/+]json$|ndjson$|jsonl$|jsonlines$|json-seq$/.test(essence)) return 'json';
  return /[/+]xml$|html/.test(essence) ? 'xml' : 'text';
}

/** Checks that text that begins like JSON is valid JSON once values are filled in. @throws {InvalidValue} */
export function mustBeJson(source: string): void {
  const first = source.trimStart();
  if (!/^[{[]/.test(first) || first.search(TOKENS) === 0) return;
  const sample = source.replace(TOKENS, (_, escaped) => (escaped === undefined ? '0' : ''));
  try {
    JSON.parse(sample);
  } catch (error) {
    const advice = "another type is given by --header 'Content-Type: text/plain'";
    throw new InvalidValue(`begins like JSON, but is not valid: ${jsonFault(error)}; ${advice}`);
  }
}

function languageOf(texts: readonly string[]): BodyLanguage {
  const sample = texts.join('0');
  const first = (texts[0] as string).trimStart();
  if (first.startsWith('<')) return 'xml';
  if (!first.startsWith('{') && !first.startsWith('[')) return isForm(sample) ? 'form' : 'text';
  try {
    JSON.parse(sample);
    return 'json';
  } catch {
    return 'text';
  }
}

/** Returns whether text of JSON ends inside a string. */
function endsInString(text: string, startsInString: boolean): boolean {
  let isInString = startsInString;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '"') isInString = !isInString;
    else if (text[i] === '\\' && isInString) i++;
  }
  return isInString;
}

/** Returns a value escaped for the language; undefined if the record does not have it. */
function escapedValue(task: Task, { name, isQuoted }: Slot, language: BodyLanguage): string | undefined {
  const value = attributeText(task, name);
  if (language === 'json' && !isQuoted) return value === undefined ? nullOf(task, name) : jsonOf(value);
  if (value === undefined) return undefined;
  const text = wellFormed(value);
  if (language === 'json') return JSON.stringify(text).slice(1, -1);
  if (language === 'form') return new URLSearchParams([['', text]]).toString().slice(1);
  return language === 'xml' ? text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`) : text;
}

/** Returns a value outside of strings: JSON as it is, other text as a string. */
function jsonOf(value: string): string {
  try {
    JSON.parse(value);
    return value;
  } catch {
    return JSON.stringify(wellFormed(value));
  }
}

function nullOf({ fields }: Task, name: string): string | undefined {
  return attribute(fields, name) === null ? 'null' : undefined;
}
