// The data that is measured with, the same each time.
import { closeSync, openSync, writeSync } from 'node:fs';

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

/** A CSV of four columns: id, url, state, name. */
export function writeRows(file, count, port) {
  const states = ['CA', 'NY', 'TX', 'WA', 'MA'];
  writeLines(
    file,
    count,
    'id,url,state,name\n',
    (i) => `${i},http://127.0.0.1:${port}/item/${i},${states[(i * 7) % 5]},Name number ${i}\n`,
  );
}

/** A ledger of random-looking uuids. */
export function writeLedger(file, count) {
  let state = 1;
  const hex = (digits) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state.toString(16).padStart(8, '0').slice(0, digits);
  };
  const uuid = () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(8)}${hex(4)}`;
  writeLines(file, count, '', () => `{"uuid":"${uuid()}","at":"2026-01-01T00:00:00.000Z"}\n`);
}
