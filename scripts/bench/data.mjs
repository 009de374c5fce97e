// Input data of the benchmarks, the same each time. A file is made when it is first needed.
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../ready.mjs';
import { DATA_SETS, lineMaker } from './records.mjs';

/** Returns functions that give the paths of the files. @param port port of the server in the urls, and of the DNS server */
export function openData(folder, port) {
  const makers = new Map();
  const file = (name, make) => {
    const path = join(folder, name);
    makers.set(path, make);
    return path;
  };
  const records = (set, count) =>
    file(`${set}-${count}.${set === 'nested' ? 'ndjson' : 'csv'}`, (path) =>
      writeRecords(path, set, count, port),
    );
  return {
    /** Port of both servers: that of DNS uses UDP. */
    port,
    /** Returns the path of records of a data set of records.mjs. */
    records,
    /** Returns the path of the tasks of these records. */
    tasks: (set, count) =>
      file(`tasks-${set}-${count}.ndjson`, (path) => writeTasks(made(records(set, count)), path)),
    /** Returns the path of a configuration of curl with the same urls. */
    curl: (count) => file(`curl-${count}.txt`, (path) => writeCurl(path, count, port)),
    /** Returns the path of tasks whose bodies are large. */
    large: (count) => file(`large-${count}.ndjson`, (path) => writeLarge(path, count, port)),
    /** Returns the path of a configuration of curl that writes the same bodies to a folder. */
    curlLarge: (count) =>
      file(`curl-large-${count}.txt`, (path) => writeCurlLarge(path, count, port, join(folder, 'bodies'))),
    /** Returns the path of a list of the same urls. */
    urlsLarge: (count) => file(`large-${count}.txt`, (path) => writeUrlsLarge(path, count, port)),
    /** Returns the path of tasks that each have a different host. */
    hosts: (count) => file(`hosts-${count}.ndjson`, (path) => writeHosts(path, count, port)),
    /** Returns the path of a configuration of curl with the same urls. */
    curlHosts: (count) => file(`curl-hosts-${count}.txt`, (path) => writeCurlHosts(path, count, port)),
    /** Returns the path of a list of the same urls. */
    urlsHosts: (count) => file(`hosts-${count}.txt`, (path) => writeUrlsHosts(path, count, port)),
    /** Path of a resolv.conf that names the slow DNS server. */
    resolv: file('resolv.conf', (path) => writeLines(path, 1, '', () => 'nameserver 127.0.0.77\n')),
    /** Folder for bodies. */
    bodies: join(folder, 'bodies'),
    /** Returns the path of a ledger. */
    big: (count) => file(`ledger-${count}.jsonl`, (path) => writeLedger(path, count)),
    /** Path of the output of a saver. */
    out: join(folder, 'out.csv'),
    parquet: join(folder, 'out.parquet'),
    duckParquet: join(folder, 'duckdb.parquet'),
    ledger: join(folder, 'done.jsonl'),
    flowLog: join(folder, 'flows.jsonl'),
    /** Folder for the states of TaskFlow's flows. */
    flowStates: join(folder, 'flow-states'),
    /** Makes the files that a program reads, unless they exist. */
    makeFor: ({ stages, input }) =>
      [...stages.flat().flatMap((word) => word.split(' ')), input].forEach(made),
  };

  function made(path) {
    if (makers.has(path) && !existsSync(path)) makers.get(path)(path);
    return path;
  }
}

/** Writes lines in blocks. */
function writeLines(file, count, header, line) {
  const out = openSync(file, 'w');
  let block = header;
  for (let i = 0; i < count; i++) {
    block += line(i);
    if (block.length > 1 << 20) {
      writeSync(out, block);
      block = '';
    }
  }
  writeSync(out, block);
  closeSync(out);
}

const urlOf = (i, port) => `http://127.0.0.1:${port}/item/${i}`;

function writeRecords(file, set, count, port) {
  const { header } = DATA_SETS[set];
  writeLines(
    file,
    count,
    header,
    lineMaker(DATA_SETS[set], (i) => urlOf(i, port)),
  );
}

function writeTasks(from, to) {
  const out = openSync(to, 'w');
  const args = [from, '--uuid-fields', 'url', '--quiet'];
  execFileSync(join(root, 'bin/task-load'), args, { stdio: ['ignore', out, 'inherit'] });
  closeSync(out);
}

function writeCurl(file, count, port) {
  writeLines(file, count, '', (i) => `url=${urlOf(i, port)}\noutput=/dev/null\n`);
}

const largeUrl = (i, port) => `http://127.0.0.1:${port}/large/${i}`;

function writeLarge(file, count, port) {
  writeLines(file, count, '', (i) => `{"uuid":"large ${i}","url":"${largeUrl(i, port)}"}\n`);
}

function writeCurlLarge(file, count, port, folder) {
  writeLines(file, count, '', (i) => `url=${largeUrl(i, port)}\noutput=${folder}/${i}\n`);
}

function writeUrlsLarge(file, count, port) {
  writeLines(file, count, '', (i) => `${largeUrl(i, port)}\n`);
}

const hostUrl = (i, port) => `http://h${i}.test:${port}/item/${i}`;

function writeHosts(file, count, port) {
  writeLines(file, count, '', (i) => `{"uuid":"host ${i}","url":"${hostUrl(i, port)}"}\n`);
}

function writeCurlHosts(file, count, port) {
  writeLines(file, count, '', (i) => `url=${hostUrl(i, port)}\noutput=/dev/null\n`);
}

function writeUrlsHosts(file, count, port) {
  writeLines(file, count, '', (i) => `${hostUrl(i, port)}\n`);
}

function writeLedger(file, count) {
  let state = 1;
  const hex = (digits) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state.toString(16).padStart(8, '0').slice(0, digits);
  };
  const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(8)}${hex(4)}`;
  writeLines(file, count, '', () => `{"uuid":"${uuid()}","at":"2026-01-01T00:00:00.000Z"}\n`);
}
