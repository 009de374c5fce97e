import { endpoint } from './api.ts';
import { element } from './dom.ts';

interface Content {
  readonly schema: object;
  readonly example?: unknown;
}

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly example?: unknown;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Content>> };
  readonly responses: Readonly<
    Record<string, { readonly description: string; readonly content?: Readonly<Record<string, Content>> }>
  >;
}

interface ApiDocument {
  readonly info: { readonly description: string };
  readonly security: readonly object[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** Shows the API, from the OpenAPI document of the service. */
export async function docs(main: HTMLElement): Promise<void> {
  const response = await fetch(`${endpoint}/openapi.json`);
  const { info, paths, security } = (await response.json()) as ApiDocument;
  main.append(
    element('h1', {}, document.title),
    element('p', {}, info.description),
    element(
      'p',
      {},
      element('a', { href: `${endpoint}/openapi.json` }, 'OpenAPI document'),
      ', for programs and generators of clients',
    ),
  );
  for (const [path, operations] of Object.entries(paths))
    for (const [method, operation] of Object.entries(operations))
      main.append(sectionOf(method.toUpperCase(), path, operation, security.length > 0));
}

function sectionOf(method: string, path: string, operation: Operation, hasToken: boolean): HTMLElement {
  const { summary = '', description, parameters = [], responses } = operation;
  const items = parameters.map(({ name, required, description: words = '' }) =>
    element('li', {}, element('code', {}, name), `${required ? '' : ' (optional)'}: ${words}`),
  );
  const errors = Object.entries(responses).filter(([status]) => status !== '200');
  return element(
    'section',
    {},
    element('h2', {}, element('code', {}, `${method} ${path}`)),
    element('p', {}, `${summary}. ${description ?? ''}`),
    element('ul', {}, ...items),
    element('pre', {}, commandOf(method, path, operation, hasToken)),
    ...answerOf(responses['200']?.content),
    element(
      'p',
      { class: 'errors' },
      `Errors: ${errors.map(([status, { description: words }]) => `${status} ${words}`).join(' ')}`,
    ),
  );
}

/** Returns a command line that sends the request. */
function commandOf(method: string, path: string, operation: Operation, hasToken: boolean): string {
  const { parameters = [], requestBody } = operation;
  const query = parameters
    .filter(({ required, example }) => required || example !== undefined)
    .map(({ name, example }) => `${name}=${example ?? '…'}`)
    .join('&');
  const words = ['curl'];
  if (method !== 'GET') words.push('-X', method);
  if (hasToken) words.push('-H', "'Authorization: Bearer TOKEN'");
  for (const [type, { example }] of Object.entries(requestBody?.content ?? {})) {
    const body = typeof example === 'string' ? example : JSON.stringify(example);
    words.push('-H', `'Content-Type: ${type}'`, '--data-binary', `'${body}'`);
  }
  words.push(`'${location.origin}${path}${query === '' ? '' : `?${query}`}'`);
  return words.join(' ');
}

function answerOf(content: Readonly<Record<string, Content>> | undefined): readonly HTMLElement[] {
  const example = content?.['application/json']?.example;
  return example === undefined ? [] : [element('pre', {}, JSON.stringify(example, null, 2))];
}
