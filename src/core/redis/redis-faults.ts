import { messageOf, TaskpipeError } from '../base/errors.ts';
import type { RedisAddress } from './redis-address.ts';
import { tlsReason } from './redis-tls.ts';

/** Error of a server that accepts connections and does not answer. */
export const NO_ANSWER = 'ETIMEDOUT';
/** Error of ioredis for commands of a connection that was closed. */
export const CLOSED = 'Connection is closed.';

/** Errors of logins and permissions, which retrying cannot fix. */
const DENIED =
  /WRONGPASS|NOAUTH|NOPERM|user executing the script|protected mode|index is out of range|invalid password|No such master|got an invalid reply: null/i;

/** Errors of a server that accepts no writes for some time, as during a failover. */
const REFUSED = /\b(?:READONLY|NOREPLICAS|LOADING|MASTERDOWN|UNBLOCKED|BUSY) /;

/** Returns whether retrying cannot fix an error. */
export function isHopeless(error: unknown, address: RedisAddress): boolean {
  return (
    error instanceof TaskpipeError || DENIED.test(messageOf(error)) || tlsReason(error, address) !== undefined
  );
}

/** Returns whether a server refused a command that it may accept later. The command has changed nothing. */
export function isRefused(error: unknown): boolean {
  return REFUSED.test(messageOf(causeOf(error)));
}

/** Returns whether a server refused a command because it is a copy now: another server may be the primary. */
export function isCopy(error: unknown): boolean {
  return /\b(?:READONLY|MASTERDOWN|UNBLOCKED) /.test(messageOf(causeOf(error)));
}

/** Returns whether a connection was closed for a reason that may be TLS. */
export function isUnexplained(error: unknown): boolean {
  return /Connection is closed|ECONNRESET|EPIPE|before secure TLS/.test(messageOf(error));
}

/** Returns the first error of a transaction, or the error itself. */
function causeOf(error: unknown): unknown {
  const [first] = (error as { previousErrors?: readonly unknown[] } | null)?.previousErrors ?? [];
  return first ?? error;
}

/** Function that returns the text of a Lua script by its SHA-1; undefined if it is unknown. */
export type ScriptOf = (sha: string) => string | undefined;

/**
 * Returns the error of a command or of the connection, with its reason in words.
 * @param last last error of the connection, which explains why it is closed
 * @param scriptOf finds the script that a command was in
 */
export function faultOf(
  error: unknown,
  last: unknown,
  address: RedisAddress,
  scriptOf?: ScriptOf,
): TaskpipeError {
  if (error instanceof TaskpipeError) return error;
  const cause = messageOf(error).includes('Connection is closed') ? (last ?? error) : causeOf(error);
  if (cause instanceof TaskpipeError) return cause;
  const code = messageOf(cause).includes('WRONGTYPE') ? 'DATA' : 'IO';
  return new TaskpipeError(code, `${address.place}: ${reasonOf(cause, address, scriptOf)}`, { cause });
}

type Reason = string | ((error: unknown, address: RedisAddress, scriptOf?: ScriptOf) => string);

/** Patterns of errors of Redis or the network, each with its meaning and remedy. */
const REASONS: readonly (readonly [RegExp, Reason])[] = [
  [
    /No such master|got an invalid reply: null/,
    (_, { sentinels }) =>
      `the sentinels know no primary called ${JSON.stringify(sentinels?.primary)}; redis-cli -p 26379 SENTINEL MASTERS lists those that they know`,
  ],
  [
    /sentinel \S+ because.*(?:NOAUTH|WRONGPASS|NOPERM)/s,
    'the sentinels need another user or password: TASK_SENTINEL_PASSWORD, or ?sentinel-user=NAME&sentinel-password-file=FILE in the url',
  ],
  [/sentinel \S+ because.*(?:ENOTFOUND|EAI_AGAIN)/, 'no such host for a sentinel; is its name right?'],
  [/sentinel \S+ because/, 'no sentinel answers; are their addresses right, and do they run?'],
  [/ECONNREFUSED/, 'connection refused; is Redis running there?'],
  [/ENOTFOUND|EAI_AGAIN/, 'no such host; is its name right?'],
  [/ETIMEDOUT/, 'no answer; is the address right, and the port open?'],
  [
    /WRONGPASS|invalid password/,
    'wrong user or password; see TASK_REDIS_PASSWORD, --password-file and the url',
  ],
  [/NOAUTH/, 'a password is needed: TASK_REDIS_PASSWORD, --password-file, or the url'],
  [/NOPERM|user executing the script/, permissionOf],
  [/READONLY/, 'it is a read-only copy now; give its primary'],
  [/NOREPLICAS/, 'it has too few replicas to accept writes (min-replicas-to-write)'],
  [/LOADING/, 'it is still loading its data'],
  [/MASTERDOWN/, 'it is a copy now, and its primary is down'],
  [/BUSY /, 'it is busy with a script of another program (redis-cli SCRIPT KILL ends that)'],
  [
    /WRONGTYPE/,
    'a key of another program is at one of our names; task-queue size says which one. Nothing was deleted',
  ],
  [
    /^OOM|OOM command|EXECABORT.*OOM/s,
    'its memory is full (maxmemory); let workers take tasks, or give it more',
  ],
  [/max number of clients/, 'it has as many clients as it may (maxclients)'],
  [
    /DENIED.*protected mode/s,
    'it runs in protected mode, and takes no clients from other machines; give it a password (requirepass)',
  ],
  [/MISCONF/, 'it cannot write to its disk; is that full?'],
  [/(?:DB|database) index is out of range/i, 'it has no such database (databases in redis.conf); use /0'],
  [/unknown command/i, (error) => `it lacks a command that is needed (${messageOf(error).slice(0, 60)})`],
  [
    /Connection is closed|ECONNRESET|EPIPE|before secure TLS/,
    (_, { tls }) =>
      tls === undefined
        ? 'the connection was closed; is it a proxy whose Redis is down, or is rediss:// meant?'
        : `the connection was closed; ${tls.cert === undefined ? 'does it ask for a client certificate (?cert=FILE&key=FILE)?' : 'does it trust the client certificate?'}`,
  ],
];

/** Returns the meaning of an error, and its remedy. */
export function reasonOf(error: unknown, address: RedisAddress, scriptOf?: ScriptOf): string {
  const words = messageOf(error);
  const reason = tlsReason(error, address) ?? REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? words;
  return typeof reason === 'string' ? reason : reason(error, address, scriptOf);
}

/** Place of the rules that a user needs. */
const RULES = 'docs/task-queue.md has all rules, under "Users and permissions"';

/** Returns the command or keys that a user may not use. */
function permissionOf(error: unknown, { user = 'default' }: RedisAddress, scriptOf?: ScriptOf): string {
  const words = messageOf(error);
  const { args = [] } = (error as { command?: { args?: readonly unknown[] } }).command ?? {};
  if (/\bchannel/.test(words)) return `the user "${user}" may not use a channel; ${RULES}`;
  if (/\bkeys?\b/.test(words)) {
    const keys = args.map(String).filter((arg) => /^(?:bull|taskpipe):[^\n]*$/.test(arg));
    const [key = 'of the queue'] = keys;
    const name = key.split(':')[1] ?? 'NAME';
    return `the user "${user}" may not use the key ${key}: ACL SETUSER ${user} ~bull:${name}:* ~taskpipe:${name}:*; ${RULES}`;
  }
  const named = /'([^']+)' command/.exec(words)?.[1];
  const commands =
    named === undefined ? commandsAt(words, String(args[0] ?? ''), scriptOf) : [named.toUpperCase()];
  if (commands.length === 0) return `the user "${user}" may not run a command of a script; ${RULES}`;
  const rights = commands.map((command) => `+${command.toLowerCase()}`).join(' ');
  return `the user "${user}" may not run ${commands.join(' or ')}: ACL SETUSER ${user} ${rights}; ${RULES}`;
}

/**
 * Returns the commands in the line of a script that an error names: several if a variable holds the name.
 * @param given text of the script, if the command that failed had it
 */
function commandsAt(words: string, given: string, scriptOf?: ScriptOf): readonly string[] {
  const sha = /(?:f_|script: )([0-9a-f]{40})/.exec(words)?.[1] ?? given;
  const script = scriptOf?.(sha) ?? given;
  const line = Number(/@?user_script:(\d+)/.exec(words)?.[1]);
  const [, name, variable] =
    /call\(\s*(?:["'](\w+)["']|(\w+))/.exec(script.split('\n')[line - 1] ?? '') ?? [];
  if (name !== undefined) return [name.toUpperCase()];
  if (variable === undefined) return [];
  const values = [...script.matchAll(new RegExp(`\\b${variable} = .*`, 'g'))].join('\n');
  return [...new Set(values.match(/(?<=["'])[A-Z]+(?=["'])/g))];
}
