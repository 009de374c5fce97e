/**
 * Lists of names as they are typed in options, separated by commas. A name with a comma stands between double
 * quotes, as in CSV. A quote within quotes is doubled. Spaces are part of a name.
 */

/** Fault of a list. Its `rule` follows the name of an option in a message. */
export class ListFault {
  readonly rule: string;

  constructor(rule: string) {
    this.rule = rule;
  }
}

export const EMPTY: ListFault = new ListFault('must be names with commas between them');
const OPEN = new ListFault('must close each double quote ("" is a quote inside of quotes)');
const TEXT_AFTER = new ListFault(
  'must have a comma after each closing quote ("" is a quote inside of quotes)',
);

/**
 * Splits a list into its items, and each item into its parts. A part that was quoted may be empty.
 * @param typed as in `id,"last, first",x`
 * @param inner a character that separates the parts of an item, as in `old=new`. Default: an item is one part
 */
export function splitList(typed: string, inner = ''): readonly (readonly string[])[] | ListFault {
  const items: string[][] = [[]];
  for (let at = 0; ; at++) {
    const part = typed[at] === '"' ? quotedPart(typed, at) : barePart(typed, at, inner);
    if (part === undefined) return OPEN;
    if (part.end === at) return EMPTY;
    items.at(-1)?.push(part.text);
    at = part.end;
    if (at >= typed.length) return items;
    if (typed[at] === ',') items.push([]);
    else if (typed[at] !== inner) return TEXT_AFTER;
  }
}

/** Returns a name as it must be typed in a list. */
export function quotedName(name: string): string {
  return /^$|^"|[,=]/.test(name) ? `"${name.replaceAll('"', '""')}"` : name;
}

interface Part {
  readonly text: string;
  /** The index just past it. */
  readonly end: number;
}

function barePart(typed: string, from: number, inner: string): Part {
  let end = from;
  while (end < typed.length && typed[end] !== ',' && typed[end] !== inner) end++;
  return { text: typed.slice(from, end), end };
}

/** Returns undefined if the quote is not closed. */
function quotedPart(typed: string, open: number): Part | undefined {
  for (let close = typed.indexOf('"', open + 1); close >= 0; close = typed.indexOf('"', close + 2)) {
    if (typed[close + 1] === '"') continue;
    return { text: typed.slice(open + 1, close).replaceAll('""', '"'), end: close + 1 };
  }
  return undefined;
}
