import { SaxesParser } from 'saxes';

/** Returns the texts of the elements of an XML document, by name, in their order; undefined if it is not XML. */
export function textsIn(xml: string): ReadonlyMap<string, readonly string[]> | undefined {
  const found = new Map<string, string[]>();
  let text = '';
  const parser = new SaxesParser({ fragment: false, position: false });
  const take = (more: string): void => {
    text += more;
  };
  parser.on('opentag', () => {
    text = '';
  });
  parser.on('text', take);
  parser.on('cdata', take);
  parser.on('closetag', ({ name }) => {
    const local = name.slice(name.indexOf(':') + 1);
    const texts = found.get(local);
    if (texts === undefined) found.set(local, [text]);
    else texts.push(text);
    text = '';
  });
  parser.on('error', (error) => {
    throw error;
  });
  try {
    parser.write(xml).close();
    return found;
  } catch {
    return undefined;
  }
}
