import { type Fields, runOf } from '../../core/record/task.ts';
import type { S3Bucket } from '../../core/s3/contract.ts';
import { isAboutObject } from '../../core/s3/s3-faults.ts';
import { objectText, putObject } from '../../core/s3/s3-objects.ts';
import type { ObjectKeys } from './object-keys.ts';

const TYPE = 'application/json';

/** Text of a record as an object. */
export interface Body {
  readonly body: Buffer;
  readonly isFailure: boolean;
}

/** Objects of tasks. */
export class TaskObjects {
  readonly #bucket: S3Bucket;
  readonly #keys: ObjectKeys;

  constructor(bucket: S3Bucket, keys: ObjectKeys) {
    this.#bucket = bucket;
    this.#keys = keys;
  }

  /** Returns whether the object of a task is there and is not that of a failure. */
  async isSuccess(uuid: string): Promise<boolean> {
    const text = await objectText(this.#bucket, this.#keys.keyOf(uuid));
    if (text === undefined) return false;
    try {
      return (runOf(JSON.parse(text) as Fields)?.state ?? 'SUCCESS') === 'SUCCESS';
    } catch {
      return true; // of another program
    }
  }

  /**
   * Stores the object of a task.
   * @returns the reason the server refuses this object, but not others; undefined if it is stored
   * @throws {TaskpipeError} `IO`
   */
  async put(uuid: string, { body, isFailure }: Body): Promise<string | undefined> {
    if (isFailure && (await this.isSuccess(uuid))) return undefined;
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
