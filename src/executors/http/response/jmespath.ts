/** Library of JMESPath. */
export type Jmespath = typeof import('@jmespath-community/jmespath');

/**
 * Adds the functions that the language lacks: `uri_encode(text or number)`, as `encodeURIComponent`. It refers to no
 * outer variables, because threads run its source.
 */
export function addFunctions(library: Jmespath): void {
  library.registerFunction(
    'uri_encode',
    ([value]) => encodeURIComponent(String(value).toWellFormed()),
    [{ types: [library.TYPE_STRING, library.TYPE_NUMBER] }],
    { override: true },
  );
}

/** Loads the library with our functions. */
export async function loadJmespath(): Promise<Jmespath> {
  const library = await import('@jmespath-community/jmespath');
  addFunctions(library);
  return library;
}
