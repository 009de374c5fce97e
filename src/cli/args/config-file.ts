import { readFileSync } from 'node:fs';
import { ioError, jsonFault, TaskpipeError } from '../../core/base/errors.ts';

/** Values of one option in a configuration file, as text. */
export interface ConfigEntry {
  readonly name: string;
  /** Absent for `null`, and an array with a `null` in it. */
  readonly texts?: readonly string[];
  /** True for an array: each text is one element. */
  readonly isArray: boolean;
}

/**
 * Reads the file of `--config`: a JSON object, or lines such as `jobs=20` with `#` comments.
 * @throws {TaskpipeError} `USAGE` if the file is neither, `IO` if it cannot be read
 */
export function readConfig(file: string): readonly ConfigEntry[] {
  return Object.entries(objectIn(file)).map(([name, value]) => {
    const isArray = Array.isArray(value);
    const elements: readonly unknown[] = isArray ? value : [value];
    return elements.includes(null) ? { name, isArray } : { name, isArray, texts: elements.map(textOf) };
  });
}

function objectIn(file: string): object {
  let config: unknown;
  try {
    const text = readFileSync(file, 'utf8');
    config = linesIn(text) ?? JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new TaskpipeError('USAGE', `--config ${file}: not JSON: ${jsonFault(error)}`);
    throw ioError('cannot read --config', file, error);
  }
  if (typeof config === 'object' && config !== null && !Array.isArray(config)) return config;
  throw new TaskpipeError('USAGE', `--config ${file} must be a JSON object of options, as in {"jobs": 20}`);
}

/** Returns the options of `name=value` lines; undefined if any other line is not blank or a comment. */
function linesIn(text: string): Record<string, string> | undefined {
  const lines = text.split(/\r?\n/).filter((line) => !/^\s*(#.*)?$/.test(line));
  const pairs = lines.map((line) => /^\s*([\w-]+)\s*=\s*(.*?)\s*$/.exec(line));
  if (lines.length === 0 || pairs.includes(null)) return undefined;
  return Object.fromEntries(pairs.map((pair) => [pair?.[1], pair?.[2]]));
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
