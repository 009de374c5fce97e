/**
 * Characters that must not reach a terminal: control characters except newline and tab, invisible ones, those
 * that change the direction of text, and halves of surrogate pairs. The two joiners stay, because scripts and
 * emoji need them.
 */
const HIDDEN = /(?!\u200c|\u200d|[\n\t])[\p{C}\u2028\u2029]/gu;

/** Escapes characters by which outside text could control the terminal. */
export function escapeControls(text: string): string {
  return text.replace(HIDDEN, escaped);
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) as number).toString(16);
  if (code.length > 4) return `\\u{${code}}`;
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}

/** Returns text as a JSON string, escaped for a terminal: for quotations in messages. */
export function quoted(text: string): string {
  return escapeControls(JSON.stringify(text));
}

/** Removes user and password from text that is or contains a url. */
export function withoutUser(text: string): string {
  return text.replace(/^(https?:[\\/]*|[a-z][a-z\d+.-]*:[\\/]{2,})?.*@/is, '$1…@');
}
