/*
 * Uuids, and tables of ids that are kept in memory and in temporary files: 10 million ids take about 80 MB. Owns how ids
 * are hashed, stored and compared. Must not know tasks, files of users or ledgers.
 */
export { stableHash } from './id-key.ts';
export { IdList } from './id-list.ts';
export { IdMap } from './id-map.ts';
export { Pairs } from './id-pairs.ts';
export { IdSet } from './id-set.ts';
export { HALF, uuidOfAttributes, uuidOfCanonical } from './record-uuid.ts';
export {
  bufferedUuid,
  NAME_AT,
  NAMESPACE_URL,
  nameBuffer,
  nameUuid,
  nameUuidBytes,
  nameUuidOf,
  randomUuid,
  type UuidVersion,
  writeUuid,
} from './uuid.ts';
