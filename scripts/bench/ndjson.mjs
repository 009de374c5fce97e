// The plain way of NDJSON through Node: parsed and printed again by the package ndjson.
import { pipeline } from 'node:stream/promises';
import { parse, stringify } from 'ndjson';

await pipeline(process.stdin, parse(), stringify(), process.stdout);
