// Rows of the benchmarks that pass records through a stage, on each data set of records.mjs. See rows.mjs.

import { hasModule, here, node, ours, python, quiet } from './programs.mjs';
import { DATA_SETS } from './records.mjs';

const WHAT = {
  kind: 'four even columns',
  quoted: 'one row in ten with quotes',
  wide: '50 columns of mixed text',
  nested: 'nested records of many shapes',
  long: 'texts of 2 KB',
};

/** Miller's form of a CSV of records whose values may be nested: nested ones are JSON text. */
const MILLER_CSV = ['mlr', '--ijsonl', '--ocsv', '--no-auto-flatten'];

/** Returns the rows by name. The even data set gives the names, the others `NAME-SET`. */
export function recordRows(data, rows, gets) {
  const all = {};
  for (const [set, { share }] of Object.entries(DATA_SETS)) {
    const count = Math.ceil(rows * share);
    const made = rowsOf(data, set, count, Math.ceil(gets * share));
    for (const [name, row] of Object.entries(made))
      all[set === 'kind' ? name : `${name}-${set}`] = { ...row, what: `${row.what}: ${WHAT[set]}` };
  }
  return all;
}

function rowsOf(data, set, count, gets) {
  const file = (many) => data.records(set, many);
  const isNested = set === 'nested';
  const input = data.tasks(set, count);
  const clear = [data.out, data.ledger];
  const fields = isNested ? ['--fields', 'uuid,id,url,payload'] : [];
  const save = (...args) => ours('task-save', data.out, quiet, ...fields, ...args);
  const load = (many) => ours('task-load', file(many), '--uuid-fields', 'url', quiet);
  const http = ours('task-exec', '--http', '-j', '50', quiet);
  const reads = (...stages) => ({ stages, count, input });
  const alone = (...stages) => ({ stages, count });
  const few = Math.ceil(count / 5);
  const ofFew = (...stages) => ({ stages, count: few, input: data.tasks(set, few) });
  const duck = (...words) => [hasModule('@duckdb/node-api') && node, here('duckdb.mjs'), ...words];
  return {
    load: {
      what: 'to tasks with --uuid-fields url',
      ours: alone(load(count)),
      peers: [
        {
          ...alone([
            'mlr',
            isNested ? '--ijsonl' : '--icsv',
            '--ojsonl',
            'put',
            '$uuid=md5($url)',
            file(count),
          ]),
          name: 'Miller, md5',
          least: 1.3,
        },
        { ...alone(duck('load', '1', file(count))), name: 'DuckDB, one thread, md5', least: 1 / 1.5 },
        { ...alone(duck('load', 'all', file(count))), name: 'DuckDB, all threads, md5' },
        ...(set === 'kind' ? [slowLoad(data, Math.ceil(count / 10))] : []),
      ],
    },
    exec: {
      what: 'tasks through task-exec --module of an empty function',
      ours: reads(ours('task-exec', '--module', here('empty.mjs'), quiet)),
      peers: [
        { ...reads(['jq', '-c', '.']), name: 'jq -c .', least: 2.5 },
        { ...reads(['gojq', '-c', '.']), name: 'gojq -c .' },
        { ...reads([node, here('ndjson.mjs')]), name: 'ndjson: parse() to stringify()', least: 3 },
      ],
    },
    save: {
      what: 'tasks to CSV',
      ours: { ...reads(save('--sync', 'none')), clear },
      peers: [
        {
          ...reads(
            isNested
              ? [
                  ...MILLER_CSV,
                  'json-stringify',
                  '-f',
                  'payload',
                  'then',
                  'template',
                  '-f',
                  'uuid,id,url,payload',
                ]
              : [...MILLER_CSV, 'cat'],
          ),
          name: 'Miller',
          least: 3,
        },
        { ...alone(duck('save', '1', input)), name: 'DuckDB, one thread', least: 1 / 1.5 },
        { ...alone(duck('save', 'all', input)), name: 'DuckDB, all threads' },
      ],
    },
    parquet: {
      what: 'tasks to a folder of Parquet files',
      ours: {
        ...ofFew(ours('task-save', `${data.parquet}/`, quiet, '--sync', 'none')),
        clear: [data.parquet, `${data.parquet}.rest.ndjson`],
      },
      peers: [
        {
          ...ofFew(duck('parquet', '1', data.tasks(set, few), data.duckParquet)),
          clear: [data.duckParquet],
          name: 'DuckDB, one thread, one file',
        },
      ],
    },
    commit: {
      what: 'tasks to CSV with a ledger and --sync batch',
      ours: { ...reads(save('--ledger', data.ledger, '--sync', 'batch')), clear },
      peers: [{ ...reads(save('--sync', 'none')), clear, name: 'the same without', least: 0.85 }],
    },
    pipe: {
      what: 'the whole pipe: load, task-exec --http -j 50, save with a ledger',
      needs: 'nginx',
      ours: {
        ...{ stages: [load(gets), http, save('--ledger', data.ledger)], count: gets },
        clear,
      },
      peers: [
        {
          stages: [http],
          count: gets,
          input: data.tasks(set, gets),
          name: 'task-exec --http alone',
          least: 0.8,
        },
      ],
    },
  };
}

function slowLoad(data, count) {
  const stages = [[python('uuid'), here('uuid3.py'), data.records('kind', count)]];
  return { stages, count, name: "Python's csv and uuid3", least: 5 };
}
