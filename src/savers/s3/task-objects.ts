import { parseRecord } from '../../core/record/ndjson.ts';
import { runOf } from '../../core/record/task.ts';
import type { S3Bucket } from '../../core/s3/contract.ts';
import { isAboutObject } from '../../core/s3/s3-faults.ts';
import { objectText, putObject } from '../../core/s3/s3-objects.ts';
import type { Field } from '../rows/fields.ts';
import type { ObjectKeys } from './object-keys.ts';

const TYPE = 'application/json';

/** Text of a record as an object. */
export interface Body {
  readonly body: Buffer;
  readonly isFailure: boolean;
}

/** An object that was read: the state of its task, or the reason it is not the record of its task. */
export type FoundObject = { readonly state: string } | { readonly fault: string };

/** Objects of tasks. */
export class TaskObjects {
  readonly #bucket: S3Bucket;
  readonly #keys: ObjectKeys;
  /** True if objects have the uuid of their task. */
  readonly #hasUuid: boolean;

  constructor(bucket: S3Bucket, keys: ObjectKeys, fields: readonly Field[] | undefined) {
    this.#bucket = bucket;
    this.#keys = keys;
    this.#hasUuid = fields?.some(({ name, path }) => name === 'uuid' && path === 'uuid') ?? true;
  }

  /** Returns the address of the object of a task, for messages. */
  placeOf(uuid: string): string {
    return `s3://${this.#bucket.name}/${this.#keys.keyOf(uuid)}`;
  }

  /** Reads the object of a task. Returns undefined if there is none. @throws {TaskpipeError} `IO` */
  async read(uuid: string): Promise<FoundObject | undefined> {
    const text = await objectText(this.#bucket, this.#keys.keyOf(uuid));
    if (text === undefined) return undefined;
    const record = parseRecord(text);
    if (record === undefined) return { fault: 'it is empty' };
    if ('code' in record) return { fault: record.message };
    const { fields } = record;
    if (this.#hasUuid && fields.uuid !== uuid)
      return { fault: fields.uuid === undefined ? 'it has no uuid' : 'it has another uuid' };
    return { state: runOf(fields)?.state ?? 'SUCCESS' };
  }

  /** Returns whether the object of a task is there and is not that of a failure. */
  async #isSuccess(uuid: string): Promise<boolean> {
    const found = await this.read(uuid);
    return found !== undefined && 'state' in found && found.state === 'SUCCESS';
  }

  /**
   * Stores the object of a task.
   * @returns the reason the server refuses this object, but not others; undefined if it is stored
   * @throws {TaskpipeError} `IO`
   */
  async put(uuid: string, { body, isFailure }: Body): Promise<string | undefined> {
    if (isFailure && (await this.#isSuccess(uuid))) return undefined;
    try {
      await putObject(this.#bucket, this.#keys.keyOf(uuid), body, TYPE);
      return undefined;
    } catch (error) {
      const { cause, message } = error as Error;
      if (!isAboutObject(cause)) throw error;
      return message;
    }
  }
}
