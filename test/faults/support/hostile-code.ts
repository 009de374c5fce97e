/*
 * Pieces of hostile user code. Each is a statement; those of `RETURNS` and `THROWS` are expressions.
 * `PRELUDE` has the names that they use. `keep` holds objects that stay open.
 */

/** Imports and helpers of every hostile module. */
export const PRELUDE = `import { spawn, spawnSync } from 'node:child_process';
import { writeSync, readSync, closeSync, openSync } from 'node:fs';
import { createServer as createHttp } from 'node:http';
import { createServer, connect } from 'node:net';
import { stdout as named } from 'node:process';
const keep = [];
const deep = (levels) => { let value = 1; for (let i = 0; i < levels; i++) value = { value }; return value; };
const cycle = () => { const one = { list: [] }; one.list.push(one); return one; };
const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const trap = () => { throw new Error('trap'); };
const hostile = new Proxy({}, { get: trap, has: trap, ownKeys: trap, getPrototypeOf: trap, getOwnPropertyDescriptor: trap });
const revoked = () => { const { proxy, revoke } = Proxy.revocable(() => {}, {}); revoke(); return proxy; };
`;

/** Record that a module prints. It must not appear in the output. */
const FORGED = `'{"uuid":"forged","run":{"state":"SUCCESS"}}\\n'`;

/** Code that writes to and reads from the standard streams. */
export const WRITES: readonly string[] = [
  `console.log(${FORGED});`,
  `console.error('an error'); console.table([1, 2]);`,
  `process.stdout.write(${FORGED});`,
  `process.stdout.write(Buffer.from(${FORGED}), () => {});`,
  `process.stdout.write('no newline');`,
  `named.write(${FORGED});`,
  `writeSync(1, ${FORGED});`,
  `spawnSync('echo', ['from a child'], { stdio: 'inherit' });`,
  `spawnSync('cat', { stdio: 'inherit' });`,
  `spawn('sh', ['-c', 'cat; echo from a child that stays; sleep 9'], { stdio: 'inherit' });`,
  `try { readSync(0, Buffer.alloc(9)); } catch {}`,
  `process.stdin.on('data', () => {}).resume();`,
  `process.stdout.end(${FORGED});`,
  `process.stdout.destroy();`,
  `process.stdout.cork();`,
  `console.log('x'.repeat(100_000));`,
  `console.log('\\u001b[2J\\u0007\\0');`,
];

/** Code that leaves something open. */
export const LEAVES: readonly string[] = [
  `setTimeout(() => {}, 1e8);`,
  `keep.push(setInterval(() => {}, 10));`,
  `keep.push(createServer().listen(0));`,
  `keep.push(createHttp().listen(0));`,
  `const server = createServer().listen(0, () => keep.push(connect(server.address().port)));`,
  `keep.push(spawn('sleep', ['9'], { stdio: 'ignore' }));`,
  `keep.push(spawn('sleep', ['9'], { stdio: 'inherit' }));`,
  `keep.push(spawn('cat'));`,
  `keep.push(openSync('/dev/null'));`,
  `process.on('SIGTERM', () => {}); process.on('SIGINT', () => {});`,
  `process.on('exit', () => console.log('bye'));`,
  `const again = () => setImmediate(again); again();`,
];

/** Values that code throws. */
export const THROWS: readonly string[] = [
  `null`,
  `undefined`,
  `0`,
  `NaN`,
  `''`,
  `'text'`,
  `Symbol('s')`,
  `10n`,
  `() => {}`,
  `hostile`,
  `revoked()`,
  `Object.create(null)`,
  `{ get message() { throw 1; }, get stack() { throw 2; }, get code() { throw 3; }, get cause() { throw 4; } }`,
  `{ toString: trap, toJSON: trap, [Symbol.toPrimitive]: trap }`,
  `new Error('x'.repeat(5_000_000))`,
  `new Error('')`,
  `Object.freeze(new Error('frozen'))`,
  `(() => { const error = new Error('round'); error.cause = error; return error; })()`,
  `(() => { const a = new Error('a'), b = new Error('b', { cause: a }); a.cause = b; return a; })()`,
  `new AggregateError([hostile, null, new Error('inner')], 'many')`,
  `Object.assign(new Error('lines\\nand \\u001b[31m colours \\ud800'), { code: 'E\\n' })`,
  `Object.assign(new Error('again'), { retry: true })`,
  `Object.defineProperty(new Error('no stack'), 'stack', { get: trap })`,
  `Object.defineProperty(new Error(), 'message', { value: hostile })`,
  `new (class extends Error { get name() { throw 1; } })('named')`,
  `Promise.reject(new Error('inside'))`,
  `[1, [2, [3]]]`,
  `new Map([['a', 1]])`,
  `(() => { const error = new Error('deep'); let at = error; for (let i = 0; i < 1e4; i++) at = at.cause = new Error('c'); return error; })()`,
];

/** Values that code returns. */
export const RETURNS: readonly string[] = [
  `new Map([['a', 1]])`,
  `new Set([1])`,
  `{ inner: Promise.resolve(1) }`,
  `new Response('x')`,
  `new Error('returned')`,
  `10n`,
  `new Date()`,
  `new Date(NaN)`,
  `undefined`,
  `null`,
  `NaN`,
  `-0`,
  `() => {}`,
  `Symbol('s')`,
  `deep(50)`,
  `deep(500)`,
  `deep(100_000)`,
  `'x'.repeat(20_000_000)`,
  `'lines\\n\\r\\u2028 and \\ud800'`,
  `cycle()`,
  `{ toJSON() { throw new Error('no JSON'); } }`,
  `{ toJSON() { return { toJSON() { return 1; }, hidden: deep(500) }; } }`,
  `{ toJSON() { return this; }, hidden: deep(500) }`,
  `{ toJSON: () => undefined }`,
  `hostile`,
  `revoked()`,
  `{ get now() { throw new Error('getter'); } }`,
  `{ then: (resolve) => { resolve(1); resolve(2); throw 3; } }`,
  `{ then: () => { throw new Error('then'); } }`,
  `{ get then() { throw new Error('getter of then'); } }`,
  `Object.defineProperty(Promise.resolve(1), 'constructor', { get: trap })`,
  `Object.defineProperty(Promise.resolve(1), 'then', { value: trap })`,
  `Object.assign(Promise.resolve(1), { then: (f) => { f(1); f(2); } })`,
  `new (class P extends Promise { static get [Symbol.species]() { throw new Error('species'); } })((r) => r(1))`,
  `new Uint8Array(9)`,
  `Buffer.from('bytes')`,
  `new (class { #hidden = 1; })()`,
  `Object.create(null)`,
  `{ ['__proto__']: { a: 1 }, constructor: 1, uuid: 'forged', run: { state: 'PENDING' } }`,
  `[undefined, , 1]`,
  `Object(1n)`,
  `task`,
  `ctx`,
];

/** Code that blocks its thread forever. */
export const BLOCKS: readonly string[] = [
  `for (;;);`,
  `for (;;) keep.length = 0;`,
  `await null; for (;;);`,
  `for (;;) await null;`,
  `sleep(Infinity);`,
  `spawnSync('sleep', ['30']);`,
];

/** Code that waits forever without blocking its thread, or blocks it for a while. */
export const WAITS: readonly string[] = [
  `await new Promise(() => {});`,
  `await new Promise((_, reject) => ctx.signal?.addEventListener('abort', reject));`,
  `await new Promise(() => ctx.signal?.addEventListener('abort', trap));`,
  `sleep(100);`,
  `await later(50);`,
  `await later(5); sleep(50);`,
];

/** Code that fails outside of its task. */
export const STRAYS: readonly string[] = [
  `setTimeout(() => { throw new Error('stray'); }, 5);`,
  `Promise.reject(null);`,
  `Promise.reject(hostile);`,
  `setTimeout(() => { throw hostile; }, 5);`,
  `queueMicrotask(() => { throw undefined; });`,
];
