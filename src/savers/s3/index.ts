/*
 * Saves to objects in S3: one object per task, so that a later record with the same uuid replaces it. Owns the keys of
 * objects and what the ledger says about them. Must not know the order of records: that belongs to the router.
 */
import pMap from 'p-map';
import { TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import { stateOf, type Task } from '../../core/record/task.ts';
import type { S3Bucket } from '../../core/s3/contract.ts';
import { type S3Address, s3Address } from '../../core/s3/s3-address.ts';
import { CONNECTIONS, openBucket } from '../../core/s3/s3-bucket.ts';
import { listKeys } from '../../core/s3/s3-objects.ts';
import type { Destination, DestinationOptions, Misfit, RowBatch, Rows } from '../contract.ts';
import { FolderLedger } from '../partitions/folder-ledger.ts';
import { ndjson } from '../rows/ndjson-rows.ts';
import { ObjectKeys } from './object-keys.ts';
import { type Body, TaskObjects } from './task-objects.ts';
import { readUnmarked } from './unmarked-objects.ts';

/**
 * Opens a prefix in S3 to save to: one object per task, and a later record replaces an earlier one, but a failure never
 * replaces a success. A start lists the objects.
 * @throws {TaskpipeError} `IO`, `DATA` if objects are missing that the ledger names, `USAGE`
 */
export async function openS3Prefix(given: DestinationOptions): Promise<Destination> {
  const address = prefixOf(given.path);
  const options = { ...given, path: address.place };
  checkOptions(options);
  const { patience, warn, stopped: stopping } = options;
  const bucket = openBucket(address, { patience, warn, stopping });
  let ledger: FolderLedger | undefined;
  try {
    ledger = await FolderLedger.open(options, 'object');
    const keys = new ObjectKeys(address);
    const [saved, unknown] = [new IdSet(), [] as string[]];
    for await (const batch of listKeys(bucket, address.key)) {
      for (const uuid of batch.flatMap((key) => keys.uuidOf(key) ?? []))
        if (saved.add(uuid) && ledger?.isUnknown(uuid)) unknown.push(uuid);
    }
    await ledger?.agree(saved);
    const objects = new TaskObjects(bucket, keys, options.fields);
    const found = await readUnmarked(unknown, objects, options);
    for (const uuid of found.finished) ledger?.meet(uuid);
    for (const uuid of found.foreign) saved.delete(uuid);
    const rows = (await ndjson(nothing(), options)) as Rows;
    return new PrefixDestination({ rows, objects, keys, saved, ledger, bucket });
  } catch (error) {
    await ledger?.close();
    await bucket.close();
    throw error;
  }
}

async function* nothing(): AsyncGenerator<Buffer> {}

/** Returns the address of an output: that of a folder. @throws {TaskpipeError} `USAGE` */
function prefixOf(typed: string): S3Address {
  const address = s3Address(typed);
  const { key, place } = address;
  if (/\.parquet\/$/.test(key))
    throw new TaskpipeError(
      'USAGE',
      `${place}: Parquet is saved to a folder of this machine; copy that to S3`,
    );
  if (key === '' || key.endsWith('/')) return address;
  throw new TaskpipeError(
    'USAGE',
    `${place}: an output in S3 is one object per task; end its name with a slash: task-save ${place}/`,
  );
}

/** @throws {TaskpipeError} `USAGE` for options that objects cannot use */
function checkOptions({
  acceptEdits,
  ledger,
  widen,
  overwrite,
  escapeFormulas,
  path,
}: DestinationOptions): void {
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen) refuse('--widen is for CSV: an object has all attributes of its record');
  if (overwrite)
    refuse(`--overwrite is for files and SQLite; empty the prefix first: aws s3 rm --recursive ${path}`);
  if (escapeFormulas) refuse('--escape-formulas is for CSV: no spreadsheet opens objects');
  if (acceptEdits && ledger === undefined)
    refuse(`--accept-edits needs --ledger: without one, nothing says which objects were in ${path}`);
}

/** First characters of rows: of a success, and of a failure. */
const GOOD = '+';
const FAILED = '-';

interface DestinationParts {
  readonly rows: Rows;
  readonly objects: TaskObjects;
  readonly keys: ObjectKeys;
  readonly saved: IdSet;
  readonly ledger: FolderLedger | undefined;
  readonly bucket: S3Bucket;
}

class PrefixDestination implements Destination {
  readonly saved: IdSet;
  readonly isFresh: boolean;
  /** Always: batches must list their uuids, which are the keys. */
  readonly writesLedger = true;
  readonly replaces = true;
  readonly refuses = true;
  readonly #parts: DestinationParts;
  /** Uuids whose last record was refused. */
  readonly #refused = new Set<string>();

  constructor(parts: DestinationParts) {
    this.#parts = parts;
    this.saved = parts.saved;
    this.isFresh = parts.saved.size === 0;
  }

  get unusedFields(): Rows['unusedFields'] {
    return this.#parts.rows.unusedFields;
  }

  isUnmarked(): boolean {
    return false; // every record that comes is saved and marked
  }

  encode(task: Task): string | Misfit {
    const { keys, rows } = this.#parts;
    const row = keys.misfitOf(task.uuid) ?? rows.encode(task);
    if (typeof row !== 'string') return row;
    return `${(stateOf(task) ?? 'SUCCESS') === 'SUCCESS' ? GOOD : FAILED}${row}`;
  }

  missingColumns(): readonly string[] {
    return [];
  }

  async widen(): Promise<void> {}

  /** Stores the last record of each uuid, then marks them as finished. */
  async commit({ rows, uuids, ends, refused }: RowBatch): Promise<void> {
    const bodies = new Map<string, Body & { readonly index: number }>();
    let start = 0;
    for (const [index, uuid] of uuids.entries()) {
      const isFailure = rows[start] === FAILED.charCodeAt(0);
      const body = rows.subarray(start + 1, ends[index]);
      start = ends[index] as number;
      if (!isFailure || bodies.get(uuid)?.isFailure !== false) bodies.set(uuid, { body, isFailure, index });
    }
    const { objects, ledger } = this.#parts;
    const store = async ([uuid, body]: readonly [string, Body & { readonly index: number }]) => {
      const why = await objects.put(uuid, body);
      if (why !== undefined) refused.set(body.index, { code: 'CONSTRAINT', message: why, columns: [] });
      return why === undefined ? uuid : [];
    };
    const stored = (await pMap(bodies, store, { concurrency: CONNECTIONS })).flat();
    await ledger?.mark(stored);
    for (const uuid of stored) if (this.#refused.delete(uuid)) this.saved.add(uuid);
    for (const index of refused.keys()) this.#refused.add(uuids[index] as string);
  }

  async finish(): Promise<boolean> {
    await this.#parts.ledger?.mark([]);
    await this.#parts.ledger?.check();
    return true;
  }

  async close(): Promise<void> {
    await this.#parts.ledger?.close();
    await this.#parts.bucket.close();
  }
}
