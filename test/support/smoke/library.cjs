// CommonJS may require it, too: it has no top-level await.
const { nameUuid } = require('taskpipe');
const { linear } = require('taskpipe/flow');

process.stdout.write(`${typeof nameUuid}, ${typeof linear}\n`);
