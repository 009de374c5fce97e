import type { Assignment, InvalidAnswer } from './assignment.ts';
import { uuidsIn } from './worker-answer.ts';

const [QUOTE, BACKSLASH, COMMA] = [34, 92, 44];

const START = /^\s*\{\s*"batch"\s*:/;

/**
 * Returns the texts of the items of an answer that is not valid JSON, so that only the tasks of its invalid items fail.
 * @returns undefined if it cannot be divided into items
 */
export function splitItems(text: string): string[] | undefined {
  const [start] = /^\s*\{\s*"batch"\s*:\s*\[/.exec(text) ?? [];
  if (start === undefined) return undefined;
  const items: string[] = [];
  let from = start.length;
  let depth = 0;
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) i = lastOfString(text, i);
    else if (c === 123 || c === 91) depth++;
    else if (c === COMMA && depth === 0) {
      items.push(text.slice(from, i).trim());
      from = i + 1;
    } else if ((c === 125 || c === 93) && depth-- === 0) {
      items.push(text.slice(from, i).trim());
      return c === 93 && text.slice(i + 1).trim() === '}' ? items : undefined;
    }
  }
  return undefined;
}

/** Returns the index of the last character of the string that begins at `from`. */
function lastOfString(text: string, from: number): number {
  let i = from + 1;
  for (; i < text.length && text.charCodeAt(i) !== QUOTE; i++) if (text.charCodeAt(i) === BACKSLASH) i++;
  return i;
}

/**
 * Finds the batch that an invalid answer is for: the one that has a uuid in it. An answer without a uuid is for the
 * oldest batch.
 * @param batches those that the worker has, the oldest first
 */
export function batchOfInvalid(
  line: string,
  fault: InvalidAnswer,
  batches: Iterable<Assignment>,
): Assignment | undefined {
  // A line that is cut in the middle was torn by the end of its worker.
  if (!/^\s*\{.*\}\s*$/s.test(line)) return undefined;
  const shown = uuidsIn(line);
  const all = [...batches];
  if (shown.size > 0) return all.find(({ batch }) => batch?.some(({ uuid }) => shown.has(uuid)));
  return fault.code === 'SINGLE' || START.test(line) ? all[0] : undefined;
}
