// NDJSON through Node in the plain way: the package ndjson parses and prints it.
import { pipeline } from 'node:stream/promises';
import { parse, stringify } from 'ndjson';

await pipeline(process.stdin, parse(), stringify(), process.stdout);
