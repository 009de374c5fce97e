import { quoted } from '../../../core/base/terminal-text.ts';
import { hint } from '../../../core/options/suggest.ts';

/** Expression that is a path of names, whose last name can be looked for in a result. */
const PATH = /^[a-z_]\w*(?:\.[a-z_]\w*)*$/i;

/**
 * Watch over an expression of `--next` that finds nothing: often because of a misspelt name, so that each task has
 * only one page.
 */
export class NextWatch {
  readonly #expression: string;
  readonly #names: readonly string[] | undefined;
  #hasAnswers = false;
  #isFound = false;
  /** Paths next to the missing one, in the first answer. */
  #beside: readonly string[] | undefined;

  constructor(expression: string) {
    this.#expression = expression;
    this.#names = expression !== 'link' && PATH.test(expression) ? expression.split('.') : undefined;
  }

  /** Notes that there was a next page, or a page after another one. */
  found(): void {
    this.#isFound = true;
  }

  /** Notes a result without a next page. A name whose value is null is spelt correctly. */
  missed(result: unknown): void {
    this.#hasAnswers = true;
    if (this.#isFound || this.#names === undefined) return;
    let inner: unknown = result;
    for (const [depth, name] of this.#names.entries()) {
      if (typeof inner !== 'object' || inner === null) return;
      if (!Object.hasOwn(inner, name)) {
        const before = this.#names.slice(0, depth);
        this.#beside ??= Object.keys(inner).map((key) => [...before, key].join('.'));
        return;
      }
      inner = (inner as Record<string, unknown>)[name];
    }
    this.#isFound = true;
  }

  /** Notes a large result without a next page, which is not parsed here. */
  missedIn(text: string): void {
    this.#hasAnswers = true;
    const last = this.#names?.at(-1);
    this.#isFound ||= last !== undefined && text.includes(`"${last}"`);
  }

  /** Returns the message for the end of a run; undefined if the expression found a page, or was never evaluated. */
  message(): string | undefined {
    if (this.#isFound || !this.#hasAnswers) return undefined;
    const expression = this.#expression;
    const end = 'so that each task has one page';
    if (expression === 'link') return `no answer had a header Link with rel=next (--next link), ${end}`;
    if (this.#names === undefined) return `no answer had a next page (--next ${expression}), ${end}`;
    return `no answer had ${quoted(expression)} (--next), ${end}${hint(expression, this.#beside ?? [])}`;
  }
}
