// The table of the benchmarks: the programs, their peers, and the goals.
import { here, node, ours, python, quiet } from './programs.mjs';
import { recordRows } from './record-rows.mjs';

/**
 * Returns the rows by name. `ours` and each of `peers` is a program: the `stages` of a pipe, its `input`, the
 * `count` of tasks that it does, the files to `clear` before, and its exit code `ends`. Slow peers do fewer
 * tasks: rates are compared. `least` is the goal for the ratio of rates, `under` the goal for the memory of
 * each stage in MB. `needs` is a program that must be installed besides the peers, and `dns` says that the slow DNS server
 * must run. A row with `once` is run
 * once, for its memory.
 * @param data see data.mjs
 */
export function table(data, rows) {
  const part = (divisor) => Math.max(1, Math.ceil(rows / divisor));
  const load = (count) => ours('task-load', data.records('kind', count), '--uuid-fields', 'url', quiet);
  const empty = ours('task-exec', '--module', here('empty.mjs'), quiet);
  const http = ours('task-exec', '--http', '-j', '50', quiet);
  const flow = ours('task-exec', '--flow', here('two-atoms.mjs'), '-j', '100', quiet);
  const save = (...args) => ours('task-save', data.out, quiet, ...args);
  const clear = [data.out, data.ledger];
  /** Returns a program that reads tasks. */
  const reads = (count, ...stages) => ({ stages, count, input: data.tasks('kind', count) });
  const alone = (count, ...stages) => ({ stages, count });
  const [gets, few] = [part(10), part(200)];
  const parallel = ['curl', '-s', '--parallel', '--parallel-max', '50', '--config', data.curl(gets)];
  const bodies = ours(
    'task-exec',
    '--http',
    '-j',
    '10',
    '--timeout',
    '10m',
    '--body-dir',
    data.bodies,
    quiet,
  );
  const curlLarge = ['curl', '-s', '--parallel', '--parallel-max', '10', '--create-dirs'];
  curlLarge.push('--config', data.curlLarge(20));
  const lookups = ours('task-exec', '--http', '-j', '100', '--resolver', `127.0.0.1:${data.port}`, quiet);
  /** Returns a command that runs with the slow DNS server as the DNS server of the system; needs root. */
  const slowly = (...words) => [
    ...['unshare', '-m', 'sh', '-c', 'mount --bind "$0" /etc/resolv.conf && exec "$@"', data.resolv],
    ...words,
  ];
  const curl = { ...alone(gets, parallel), name: 'curl --parallel' };
  return {
    ...recordRows(data, rows, gets),
    http: {
      what: 'GETs, 50 at once: task-exec --http -j 50',
      needs: 'nginx',
      ours: reads(gets, http),
      peers: [
        { ...curl, least: 1 },
        { ...reads(gets, [node, here('dispatch.mjs')]), name: "undici's dispatch in a bare loop" },
        { ...reads(part(100), [python('aiohttp'), here('aiohttp_get.py')]), name: 'aiohttp', least: 10 },
        { ...reads(part(1000), [python('scrapy'), here('scrapy_get.py')]), name: 'Scrapy', least: 30 },
      ],
    },
    large: {
      what: '20 bodies of 100 MB into files, ten at once: task-exec --http -j 10 --body-dir',
      needs: 'nginx',
      under: 200,
      ours: { ...reads(20, bodies), input: data.large(20), clear: [data.bodies] },
      peers: [
        {
          ...alone(20, [
            'sh',
            '-c',
            `${curlLarge.join(' ')} && sha256sum ${data.bodies}/* && sync ${data.bodies}/*`,
          ]),
          clear: [data.bodies],
          name: 'curl --parallel, then sha256sum and sync',
        },
        { ...alone(20, curlLarge), clear: [data.bodies], name: 'curl --parallel, without sync and hash' },
        {
          ...alone(20, ['aria2c', '-q', '-j', '10', '-d', data.bodies, '-i', data.urlsLarge(20)]),
          clear: [data.bodies],
          name: 'aria2c',
        },
        {
          ...alone(20, ['wget2', '-q', '--max-threads', '10', '-P', data.bodies, '-i', data.urlsLarge(20)]),
          clear: [data.bodies],
          name: 'wget2',
        },
      ],
    },
    flow: {
      what: 'flows of two atoms with a log: task-exec --flow --flow-log -j 100',
      ours: { ...reads(part(10), [...flow, '--flow-log', data.flowLog]), clear: [data.flowLog] },
      peers: [
        { ...reads(part(10), flow), name: 'the same without a log' },
        {
          ...reads(part(5000), [python('taskflow'), here('taskflow_flows.py'), data.flowStates]),
          name: 'TaskFlow, states in a folder without sync',
          least: 30,
        },
      ],
    },
    dns: {
      what: '200 GETs of 200 names, at 100 ms of DNS: task-exec --http -j 100 (goal: under 1 s, so 200/s)',
      needs: 'nginx',
      dns: true,
      ours: { ...reads(200, lookups), input: data.hosts(200) },
      peers: [
        {
          ...alone(
            200,
            slowly('curl', '-s', '--parallel', '--parallel-max', '100', '--config', data.curlHosts(200)),
          ),
          name: 'curl --parallel',
        },
        {
          ...alone(200, slowly('aria2c', '-q', '-j', '100', '-d', data.bodies, '-i', data.urlsHosts(200))),
          clear: [data.bodies],
          name: 'aria2c',
        },
        {
          ...alone(
            20,
            slowly('wget2', '-q', '--max-threads', '100', '-P', data.bodies, '-i', data.urlsHosts(20)),
          ),
          clear: [data.bodies],
          name: 'wget2',
        },
      ],
    },
    command: {
      what: '--command /bin/true, two at once',
      ours: reads(few, ours('task-exec', '--command', '/bin/true', '-j', '2', quiet)),
      peers: [
        { ...reads(part(1000), ['parallel', '-j2', '/bin/true']), name: 'GNU parallel -j2', least: 5 },
        {
          ...reads(few, ['xargs', '-d', '\\n', '-P2', '-n1', '/bin/true']),
          name: 'xargs -P2, which keeps none of their output (the aim)',
        },
      ],
    },
    worker: {
      what: 'tasks through one worker that echoes: --worker cat -j 1',
      ours: reads(rows, ours('task-exec', '--worker', 'cat', '-j', '1', quiet)),
      peers: [{ ...reads(rows, ['jq', '-c', '--unbuffered', '.']), name: 'jq -c --unbuffered .', least: 1 }],
    },
    batch: {
      what: 'tasks through --module of an empty function, 100 in a call: --batch 100',
      ours: reads(rows, ours('task-exec', '--module', here('batch.mjs'), '--batch', '100', quiet)),
      peers: [{ ...reads(rows, empty), name: 'the same, one in a call' }],
    },
    turns: {
      what: 'tasks through --module of a function that waits for a turn of the event loop: --batch 100',
      ours: reads(part(10), ours('task-exec', '--module', here('turn-batch.mjs'), '--batch', '100', quiet)),
      peers: [
        {
          ...reads(part(10), ours('task-exec', '--module', here('turn-one.mjs'), quiet)),
          name: 'the same, one in a call',
          least: 3,
        },
      ],
    },
    batches: {
      what: 'tasks through one worker that echoes, 100 in a line: --worker cat -j 1 --batch 100',
      ours: reads(rows, ours('task-exec', '--worker', 'cat', '-j', '1', '--batch', '100', quiet)),
      peers: [
        { ...reads(rows, ['jq', '-c', '--unbuffered', '.']), name: 'jq -c --unbuffered .', least: 2 },
        {
          ...reads(part(10), ours('task-exec', '--worker', 'cat', '-j', '1', quiet)),
          name: 'the same, a task in a line',
        },
      ],
    },
    ledger: {
      what: 'a ledger of ten times the rows: from start to the first answer',
      ours: { ...alone(rows * 10, ours('task-done', 'has', data.big(rows * 10), 'missing')), ends: 1 },
      under: 400,
      peers: [
        {
          ...alone(rows * 10, [node, here('parse.mjs'), data.big(rows * 10)]),
          name: 'JSON.parse into a Set',
          least: 3,
        },
      ],
    },
    memory: {
      what: 'ten times the rows through load --duplicates keep, exec, save',
      once: true,
      under: 200,
      ours: { ...alone(rows * 10, [...load(rows * 10), '--duplicates', 'keep'], empty, save()), clear },
      peers: [],
    },
    version: {
      what: '--version',
      ours: alone(1, ours('task-load', '--version')),
      peers: [{ ...alone(1, [node, '-e', '0']), name: 'node -e 0', least: 1 / 1.35 }],
    },
  };
}
