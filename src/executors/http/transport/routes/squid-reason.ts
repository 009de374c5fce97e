/**
 * Returns the reason for an answer that squid itself made, and not the server, as ` (squid: ERR_ACCESS_DENIED)`; `''`
 * for any other answer.
 */
export function squidReason(headers: Readonly<Record<string, string | string[] | undefined>>): string {
  const [, reason] = /^(ERR_\w{1,50})(?: |$)/.exec(String(headers['x-squid-error'] ?? '')) ?? [];
  return reason === undefined ? '' : ` (squid: ${reason})`;
}
