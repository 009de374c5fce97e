import { SaxesParser } from 'saxes';
import { TaskpipeError } from '../../core/base/errors.ts';

/** Handlers of the elements of a document. Names come without their prefix. */
export interface XmlHandlers {
  open(name: string, attributes: Readonly<Record<string, string>>): void;
  close?(name: string): void;
  text?(text: string): void;
}

/** Characters without an element after which a document cannot be a workbook: all of them would be kept in memory. */
const MOST_UNPARSED = 16 * 1024 * 1024;

/**
 * Parser of one XML file of a workbook.
 * @throws {TaskpipeError} `DATA`, from `write` and `end`, if it is not XML
 */
export class XmlEvents {
  readonly #parser = new SaxesParser({ fragment: false, position: false });
  readonly #place: string;
  #unparsed = 0;

  /** @param place file in messages, such as `a.xlsx: xl/workbook.xml` */
  constructor(place: string, handlers: XmlHandlers) {
    this.#place = place;
    const seen = (): void => {
      this.#unparsed = 0;
    };
    this.#parser.on('opentag', ({ name, attributes }) => {
      seen();
      handlers.open(localName(name), attributes as Record<string, string>); // strings without `xmlns`
    });
    this.#parser.on('closetag', ({ name }) => {
      seen();
      handlers.close?.(localName(name));
    });
    const onText = (text: string): void => handlers.text?.(text);
    this.#parser.on('text', onText);
    this.#parser.on('cdata', onText);
    this.#parser.on('error', ({ message }) => {
      throw new TaskpipeError('DATA', `${place} is not valid XML: ${message}; save the workbook again`);
    });
  }

  write(text: string): void {
    this.#unparsed += text.length;
    this.#parser.write(text);
    if (this.#unparsed <= MOST_UNPARSED) return;
    throw new TaskpipeError(
      'DATA',
      `${this.#place} has a text of more than 16 MB: no spreadsheet program writes that`,
    );
  }

  end(): void {
    this.#parser.close();
  }
}

function localName(name: string): string {
  const colon = name.indexOf(':');
  return colon < 0 ? name : name.slice(colon + 1);
}

/** Parses a whole file of a workbook. */
export async function parseAll(
  pieces: AsyncIterable<string>,
  place: string,
  handlers: XmlHandlers,
): Promise<void> {
  const events = new XmlEvents(place, handlers);
  for await (const piece of pieces) events.write(piece);
  events.end();
}

/** Returns the value of an attribute by its name without a prefix. */
export function attributeOf(attributes: Readonly<Record<string, string>>, name: string): string | undefined {
  const exact = attributes[name];
  if (exact !== undefined) return exact;
  const found = Object.keys(attributes).find((key) => key.endsWith(`:${name}`));
  return found === undefined ? undefined : attributes[found];
}

/** Returns text in which `_x000D_` and the like are the characters that they stand for. */
export function unescaped(text: string): string {
  if (!text.includes('_x')) return text;
  return text.replace(/_x([\da-f]{4})_/gi, (_, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  );
}
