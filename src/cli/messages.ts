/**
 * Control characters (but for newline and tab), and the marks that turn the direction of text, as escapes: what
 * comes from outside must not drive the terminal it is shown on.
 */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Surrogate}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => (character === '\n' || character === '\t' ? character : escaped(character)),
  );
}

function escaped(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}
