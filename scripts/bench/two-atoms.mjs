// The flow of the benchmark `flow`: two atoms; the second needs a value that the first provides.
import { linear, task } from '../../dist/flow.js';

export default linear('two').add(
  task('first', ({ url }) => url.length, { requires: 'url', provides: 'size' }),
  task('second', ({ size }) => size + 1, { requires: 'size', provides: 'more' }),
);
