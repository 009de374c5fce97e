import { quoted } from '../../../../core/base/terminal-text.ts';

/** Members of an answer of a token endpoint. */
export type TokenMembers = Readonly<Record<string, unknown>>;

/**
 * Reads the answer of a token endpoint: JSON whatever its type says, or a form, which GitHub sends. Members that are null
 * or that nothing uses are left out, and a missing `token_type` is `Bearer`.
 * @returns undefined if it is neither
 */
export function readTokenAnswer(body: Buffer, type: string): TokenMembers | undefined {
  const text = body.toString().replace(/^\ufeff/, '');
  const found =
    objectIn(text) ?? (/^application\/x-www-form-urlencoded\b/i.test(type) ? formIn(text) : undefined);
  if (found === undefined) return undefined;
  // Left out, because the library would verify it as the identity of a user.
  const { id_token: _, ...members } = found;
  const kept = Object.entries(members).filter(([, value]) => value !== null && value !== '');
  const { scope, ...rest } = Object.fromEntries(kept);
  const isToken = 'access_token' in rest;
  return {
    ...(isToken && { token_type: 'Bearer' }),
    ...rest,
    ...(typeof scope === 'string' && { scope }),
  };
}

/** Returns the fault of an answer without a token. */
export function answerFault(members: TokenMembers | undefined): string {
  const unknown = 'its answer is not that of OAuth 2';
  if (members === undefined) return unknown;
  const { access_token: token, token_type: type, expires_in: life } = members;
  if (token === undefined) return 'its answer has no access_token';
  if (typeof token !== 'string') return 'its access_token is not text';
  if (typeof type !== 'string' || type.toLowerCase() !== 'bearer')
    return `its token_type is ${quoted(String(type))}, not Bearer`;
  if (life !== undefined && !(Number.parseFloat(String(life)) >= 0))
    return `its expires_in is ${quoted(String(life))}, not a number of seconds`;
  return unknown;
}

function objectIn(text: string): TokenMembers | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as TokenMembers)
      : undefined;
  } catch {
    return undefined;
  }
}

function formIn(text: string): TokenMembers | undefined {
  const members = Object.fromEntries(new URLSearchParams(text));
  return 'access_token' in members || 'error' in members ? members : undefined;
}
