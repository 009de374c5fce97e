import { jsonFault } from '../base/errors.ts';
import { minify } from './json-text.ts';
import { isDeeper } from './ndjson.ts';

/** Maximum nesting of a body kept as JSON. Inside a record it must stay within the limit of `readTasks`. */
const MAX_DEPTH = 60;

/** Parsed body: its value, and its text on one line with every digit; or the reason it is invalid. */
export type Json = { readonly value: unknown; readonly text: string } | { readonly fault: string };

/** Parses text as JSON. */
export function parseJson(text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: jsonFault(error) };
  }
  if (typeof value === 'object' && value !== null && isDeeper(value, MAX_DEPTH)) {
    return { fault: `nested over ${MAX_DEPTH} levels` };
  }
  return { value, text: minify(text) };
}
