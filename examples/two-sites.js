// Reads the status codes of two sites. If the second request fails, both are undone.
//
//     echo '{"uuid":"1","first":"https://example.com/","second":"https://example.com/nothing"}' |
//       task-exec --flow examples/two-sites.js
import { linear } from 'taskpipe/flow';

/** Returns an atom that fetches the url in an attribute, and provides its status. */
const fetchStatus = (attribute) => ({
  name: `fetch-${attribute}`,
  requires: [attribute],
  provides: `${attribute}_status`,

  async execute({ [attribute]: url }, { signal }) {
    const response = await fetch(url, { signal });
    await response.body?.cancel();
    if (response.ok) return response.status;
    throw Object.assign(new Error(`${url} answered ${response.status}`), { code: 'HTTP_STATUS' });
  },

  revert({ [attribute]: url }, { result, failure }) {
    process.stderr.write(`taking back ${url}: ${failure?.message ?? `it had answered ${result}`}\n`);
  },
});

export default linear('two-sites').add(fetchStatus('first'), fetchStatus('second'));
