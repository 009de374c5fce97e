/**
 * Returns the reason that squid gives for an answer that is its own and not that of the server, as ` (squid:
 * ERR_ACCESS_DENIED)`; `''` for any other answer.
 */
export function squidReason(headers: Readonly<Record<string, string | string[] | undefined>>): string {
  const [, reason] = /^(ERR_\w{1,50})(?: |$)/.exec(String(headers['x-squid-error'] ?? '')) ?? [];
  return reason === undefined ? '' : ` (squid: ${reason})`;
}
