import { endpoint } from './api.ts';
import { element } from './dom.ts';

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly required?: boolean;
    readonly description?: string;
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
}

/** Shows the API, from the OpenAPI document of the service. */
export async function docs(main: HTMLElement): Promise<void> {
  const response = await fetch(`${endpoint}/openapi.json`);
  const { paths } = (await response.json()) as { paths: Record<string, Record<string, Operation>> };
  main.append(
    element('h1', {}, document.title),
    element('p', {}, element('a', { href: `${endpoint}/openapi.json` }, 'OpenAPI')),
  );
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, { summary = '', parameters = [], requestBody }] of Object.entries(operations)) {
      const items = parameters.map(({ name, required, description = '' }) =>
        element('li', {}, element('code', {}, name), `${required ? '' : ' (not needed)'} ${description}`),
      );
      const types = Object.keys(requestBody?.content ?? {});
      if (types.length > 0) items.push(element('li', {}, 'a body: ', element('code', {}, types.join(', '))));
      main.append(
        element('h2', {}, element('code', {}, `${method.toUpperCase()} ${path}`)),
        element('p', {}, summary),
        element('ul', {}, ...items),
      );
    }
  }
}
