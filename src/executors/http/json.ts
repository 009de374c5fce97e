import { skipValue } from '../../core/members.ts';
import { isDeeper } from '../../core/ndjson.ts';

/** The deepest nesting of a body kept as JSON: inside of a record it must stay under what `readTasks` takes. */
const MAX_DEPTH = 60;

/** A parsed body: its value, and its text on one line with every digit; or why it is none. */
export type Json = { readonly value: unknown; readonly text: string } | { readonly fault: string };

/** Parses text as JSON. */
export function parseJson(text: string): Json {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: (error as Error).message };
  }
  if (typeof value === 'object' && value !== null && isDeeper(value, MAX_DEPTH)) {
    return { fault: `nested over ${MAX_DEPTH} levels` };
  }
  return { value, text: hasSpace(text) ? compact(text) : text };
}

/** Whether there may be white space between tokens. Four searches for a character are faster than one for a class. */
function hasSpace(text: string): boolean {
  return text.includes(' ') || text.includes('\n') || text.includes('\t') || text.includes('\r');
}

/** Leaves out white space between tokens; by strings, as one regular expression fails at a string of 16 MB. */
function compact(text: string): string {
  const parts: string[] = [];
  for (let i = 0; i < text.length; ) {
    const quote = text.indexOf('"', i);
    const end = quote < 0 ? text.length : quote;
    const between = text.slice(i, end);
    parts.push(/\s/.test(between) ? between.replace(/\s+/g, '') : between);
    i = quote < 0 ? end : skipValue(text, quote);
    if (quote >= 0) parts.push(text.slice(quote, i));
  }
  return parts.join('');
}
