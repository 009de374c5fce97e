/** Escapes text for roff. Hyphens stay hyphens, so that options can be copied. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replaceAll("'", '\\(aq')
    .replace(
      /[^\n\x20-\x7e]/gu,
      (letter) => `\\[u${(letter.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0')}]`,
    )
    .replace(/^\./gm, '\\&.');
}

/** Formats prose: one sentence a line, so that roff sees where each ends, and options in bold. */
export function prose(text: string): string {
  return roff(text.replace(/(?<=[.:;])\n(?!\n)/g, ' ').trim())
    .replace(/(?<=[a-z)"`][.?]) (?=[A-Z])/g, '\n')
    .replace(/(?<![\w\\-])(\\-\\-[a-z][a-z\\-]*[a-z]|\\-[a-zA-Z])\b/g, '\\fB$1\\fR')
    .replace(/^\./gm, '\\&.');
}

/** Formats paragraphs, which are separated by blank lines. */
export function paragraphs(text: string): string {
  return text
    .split(/\n{2,}/)
    .map((one) => `.PP\n${prose(one)}`)
    .join('\n');
}

/** Formats a bold term and its description. */
export function entry(term: string, words: string): string {
  return `.TP\n${bold(term)}\n${prose(words)}`;
}

export function bold(text: string): string {
  return `\\fB${roff(text)}\\fR`;
}

export function italic(text: string): string {
  return `\\fI${roff(text)}\\fR`;
}

/** Formats the heading of a section (`SH`) or subsection (`SS`). */
export function heading(kind: 'SH' | 'SS', text: string): string {
  return `.${kind} ${roff(text).replaceAll('"', '\\(dq')}`;
}

/** Formats a command line as an example. */
export function typed(line: string): string {
  return `.IP\n.EX\n${roff(line)}\n.EE`;
}
