import { resolve } from 'node:path';

/**
 * Keeps the place of a path, for files that are opened after user code has run.
 * @returns a function that returns the path as typed, or its absolute form once the working folder has changed
 */
export function steadyPath(path: string): () => string {
  const absolute = resolve(path);
  return () => (resolve(path) === absolute ? path : absolute);
}
