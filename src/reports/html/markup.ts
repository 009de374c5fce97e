import { escapeControls } from '../../core/base/terminal-text.ts';

/** HTML, as opposed to text. */
export class Markup {
  readonly #html: string;

  constructor(html: string) {
    this.#html = html;
  }

  toString(): string {
    return this.#html;
  }
}

export type MarkupContent = string | number | Markup | readonly MarkupContent[];

/** Makes HTML from a template. Interpolated values are escaped, unless they are `Markup`. */
export function markup(pieces: TemplateStringsArray, ...contents: readonly MarkupContent[]): Markup {
  return new Markup(pieces.map((piece, i) => (i === 0 ? piece : toHtml(contents[i - 1]) + piece)).join(''));
}

function toHtml(content: MarkupContent | undefined): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return String(content);
  if (typeof content === 'object') return content.map(toHtml).join('');
  return escapeHtml(escapeControls(String(content)));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes text for HTML, between tags or in a quoted attribute. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
