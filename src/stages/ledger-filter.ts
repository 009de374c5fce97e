import { parseLines, parseTask } from '../core/record/ndjson.ts';
import { stateOf, Task, uuidFault } from '../core/record/task.ts';
import type { LineOptions } from '../core/text/lines.ts';
import type { Entry, Ledger, LedgerWriter } from '../ledgers/index.ts';

/** One line of the input of `task-done`: a record, or a bare uuid. */
export interface Named {
  readonly uuid: string;
  /** The line as it arrived, without its line end. */
  readonly line: string;
  /** True for a record of a successful task or without a state, and for a bare uuid. */
  readonly isSuccess: boolean;
}

/**
 * Reads records and bare uuids, one per line. A uuid between double quotes is read as JSON, which is what `jq .uuid`
 * without `-r` writes. Blank lines are skipped; all else is rejected.
 */
export function readNamed(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
): AsyncGenerator<readonly Named[]> {
  return parseLines(chunks, options, nameOf);
}

/** Parses a line as a record or a bare uuid. Returns undefined if it is blank. */
export function nameOf(line: string): Named | Exclude<ReturnType<typeof parseTask>, Task> {
  const text = line.trim();
  if (text === '') return undefined;
  if (text.startsWith('{')) {
    const task = parseTask(line);
    if (!(task instanceof Task)) return task;
    const state = stateOf(task);
    return { uuid: task.uuid, line, isSuccess: state === undefined || state === 'SUCCESS' };
  }
  const uuid = text.startsWith('"') ? unquoted(text) : text;
  const fault = uuidFault(uuid);
  return fault === undefined
    ? { uuid: uuid as string, line, isSuccess: true }
    : { code: 'UUID', message: `neither a record nor a uuid: ${fault}` };
}

function unquoted(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Marks succeeded tasks as finished, and passes everything on. The ledger is written before the output, so
 * everything that is passed on is marked. After a crash between the two, the output may lack marked tasks. So
 * the input must already be saved, as it is behind `task-save --tee`.
 */
export async function* mark(
  batches: AsyncIterable<readonly Named[]>,
  writer: LedgerWriter,
): AsyncGenerator<readonly Named[]> {
  for await (const batch of batches) {
    const entries: Entry[] = [];
    for (const { uuid, isSuccess } of batch) if (isSuccess) entries.push({ uuid });
    await writer.append(entries, true);
    yield batch;
  }
}

/** Marks every uuid as not finished, and passes everything on. */
export async function* unmark(
  batches: AsyncIterable<readonly Named[]>,
  writer: LedgerWriter,
): AsyncGenerator<readonly Named[]> {
  for await (const batch of batches) {
    await writer.append(
      batch.map(({ uuid }) => ({ uuid, undone: true })),
      true,
    );
    yield batch;
  }
}

/** Passes on either the finished or the unfinished uuids. Reads the ledger once, before the input. */
export async function* sift(
  batches: AsyncIterable<readonly Named[]>,
  ledger: Ledger,
  keep: 'finished' | 'unfinished',
): AsyncGenerator<readonly Named[]> {
  const finished = await ledger.finished();
  for await (const batch of batches) {
    yield batch.filter(({ uuid }) => finished.has(uuid) === (keep === 'finished'));
  }
}

/** Returns whether all uuids are finished. Stops reading at the first that is not. */
export async function hasAll(batches: AsyncIterable<readonly Named[]>, ledger: Ledger): Promise<boolean> {
  const finished = await ledger.finished();
  for await (const batch of batches) if (!batch.every(({ uuid }) => finished.has(uuid))) return false;
  return true;
}
