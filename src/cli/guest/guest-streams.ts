import { syncBuiltinESMExports } from 'node:module';
import { Readable } from 'node:stream';
import { closed, descriptors } from '../../core/base/descriptors.ts';

/** Variable in which the launcher names the descriptors of the records, as in `7,8`. */
export const STDIO_VARIABLE = 'TASKPIPE_STDIO';

/** Variable that the launcher sets if standard output is closed. */
const CLOSED = 'TASKPIPE_CLOSED';

/** Mark of the lines that user code writes to its standard output. */
const MARK = '[stdout] ';

/** Finds the descriptors of the records. Removes the variables, because children must not see them. */
export function takeDescriptors(env: NodeJS.ProcessEnv): void {
  const [, input, output] = /^(\d+),(\d+)$/.exec(env[STDIO_VARIABLE] ?? '') ?? [];
  closed.output = env[CLOSED] !== undefined;
  delete env[STDIO_VARIABLE];
  delete env[CLOSED];
  if (input === undefined) return;
  descriptors.input = Number(input);
  descriptors.output = Number(output);
}

/**
 * Makes `process.stdout` write marked lines to stderr. Without the launcher (`node bin/task-exec`), the descriptors are
 * still those of the records: then `process.stdin` is replaced by an empty stream, too, and only writes that bypass
 * `process.stdout` reach the records.
 */
export function withoutStreams(): void {
  if (descriptors.output === 1) {
    const replace = (name: string, value: unknown): void =>
      void Object.defineProperty(process, name, { configurable: true, enumerable: true, value });
    replace('stdin', Readable.from([]));
    replace('stdout', Object.create(process.stderr));
    syncBuiltinESMExports(); // `import { stdout } from 'node:process'`
  }
  const { stdout } = process;
  const mark = marker();
  stdout.on('error', () => {});
  stdout.write = ((chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    const [encoding] = rest;
    const after = rest.find((value) => typeof value === 'function') as (() => void) | undefined;
    const bytes =
      typeof chunk === 'string' && typeof encoding === 'string'
        ? Buffer.from(chunk, encoding as BufferEncoding)
        : chunk;
    return process.stderr.write(
      mark(typeof bytes === 'string' ? bytes : Buffer.from(bytes).toString()),
      after,
    );
  }) as typeof stdout.write;
}

/** Returns a function that puts the mark before each line of a text that arrives in pieces. */
function marker(): (text: string) => string {
  let isInLine = false;
  return (text) => {
    const marked = text.replace(/(?<=\n)(?=.)/gs, MARK);
    const whole = isInLine || text === '' ? marked : `${MARK}${marked}`;
    if (text !== '') isInLine = !text.endsWith('\n');
    return whole;
  };
}
