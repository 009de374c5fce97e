/** Maximum length of a text that is searched for its error, in characters. */
const LARGE = 4 * 1024 * 1024;

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w.+-])/y;
const STRING_PART = /[^"\\\u0000-\u001f]+|\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y;

function matchAt(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : -1;
}

/**
 * Returns the index just past the string that begins at `at`, or that of its first error if it is not whole.
 */
function stringEnd(text: string, at: number): { end: number; isWhole: boolean } {
  let end = at + 1;
  for (let next = matchAt(STRING_PART, text, end); next > 0; next = matchAt(STRING_PART, text, end))
    end = next;
  return text[end] === '"' ? { end: end + 1, isWhole: true } : { end, isWhole: false };
}

/**
 * Finds the first error in a text that `JSON.parse` rejects. The messages of Node do not always name the place, and
 * they quote the text, which may contain a secret.
 * @returns undefined if the text is too long to search
 */
export function jsonErrorAt(text: string): number | undefined {
  if (text.length > LARGE) return undefined;
  const open: ('{' | '[')[] = [];
  let expected: 'value' | 'first value' | 'key' | 'first key' | 'colon' | 'end' = 'value';
  let at = 0;
  for (;;) {
    at = matchAt(SPACE, text, at);
    const character = text[at];
    if (character === undefined) return at;
    if (expected === 'colon') {
      if (character !== ':') return at;
      expected = 'value';
      at++;
    } else if (expected === 'end') {
      const inside = open.at(-1);
      if (inside !== undefined && character === ',') expected = inside === '{' ? 'key' : 'value';
      else if (inside !== undefined && character === closing(inside)) open.pop();
      else return at;
      at++;
    } else if (character === closing(open.at(-1)) && expected.startsWith('first')) {
      open.pop();
      expected = 'end';
      at++;
    } else if (expected.endsWith('key')) {
      const { end, isWhole } = character === '"' ? stringEnd(text, at) : { end: at, isWhole: false };
      if (!isWhole) return end;
      expected = 'colon';
      at = end;
    } else if (character === '{' || character === '[') {
      open.push(character);
      expected = character === '{' ? 'first key' : 'first value';
      at++;
    } else {
      const end = character === '"' ? stringEnd(text, at) : { end: matchAt(SCALAR, text, at), isWhole: true };
      if (!end.isWhole || end.end < 0) return Math.max(end.end, at);
      expected = 'end';
      at = end.end;
    }
  }
}

function closing(open: '{' | '[' | undefined): string | undefined {
  if (open === undefined) return undefined;
  return open === '{' ? '}' : ']';
}
