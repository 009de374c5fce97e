import { duration } from './declare.ts';

/** Default of `--patience`, in milliseconds. */
export const PATIENCE = 60_000;

/** Option of the commands that use a server. */
export const patience = duration(
  'time that Redis, PostgreSQL, NATS or S3 may be unavailable before the command fails',
  {
    default: PATIENCE,
    defaultText: '1m',
  },
);
