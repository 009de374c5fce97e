import type { OutputFile } from './output-file.ts';

/** Moves the end of an output to a file beside it, and reports that. */
export async function cut(
  { output, warn }: { readonly output: OutputFile; readonly warn: (message: string) => void },
  at: number,
  isCrash: boolean,
): Promise<void> {
  const bytes = output.size - at;
  if (bytes <= 0) return;
  const side = await output.cut(at);
  const why = isCrash ? 'the last run did not end well' : 'the end is not a whole row';
  warn(`${output.path}: ${why}; ${bytes} bytes of unfinished rows were moved to ${side}`);
}
