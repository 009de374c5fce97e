/**
 * What must not reach a terminal as it is: control characters (but for newline and tab), what is invisible or turns
 * the direction of text, and halves of surrogate pairs. The two joiners are left, as scripts and emoji need them.
 */
const HIDDEN = /(?!\u200c|\u200d|[\n\t])[\p{C}\u2028\u2029]/gu;

/** Text for a terminal: what comes from outside must not drive it. What could is shown as an escape. */
export function escapeControls(text: string): string {
  return text.replace(HIDDEN, escaped);
}

function escaped(character: string): string {
  const code = (character.codePointAt(0) as number).toString(16);
  if (code.length > 4) return `\\u{${code}}`;
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}

/** The same as JSON text: for what a message quotes. */
export function quoted(text: string): string {
  return escapeControls(JSON.stringify(text));
}

/** Text that may be, or have in it, a url, without what may be its user and password. */
export function withoutUser(text: string): string {
  return text.replace(/^(https?:[\\/]*|[a-z][a-z\d+.-]*:[\\/]{2,})?.*@/is, '$1…@');
}
