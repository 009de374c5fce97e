import { escapeControls } from '../core/visible.ts';

/** A piece of HTML, as opposed to text. */
export class Markup {
  readonly #html: string;

  constructor(html: string) {
    this.#html = html;
  }

  toString(): string {
    return this.#html;
  }
}

export type Content = string | number | Markup | readonly Content[];

/** HTML of a template: what is put into it is text, unless it is `Markup` itself. */
export function markup(pieces: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(pieces.map((piece, i) => (i === 0 ? piece : toHtml(contents[i - 1]) + piece)).join(''));
}

function toHtml(content: Content | undefined): string {
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

/** Text as HTML, between tags or in an attribute that has quotes. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
