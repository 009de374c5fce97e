/* A suite that cannot fail proves nothing: each suite must fail on builds with a mistake in them. */
import { describe, test } from 'vitest';
import { has } from '../support/run.ts';
import { cutInput } from './cut-input.ts';
import { editsBetween } from './edits-between.ts';
import { editsDuring } from './edits-during.ts';
import { failingCalls } from './failing-calls.ts';
import { fullDisks, limitedFiles, mounts } from './full-disks.ts';
import { killedAtCalls } from './killed-at-calls.ts';
import { lateReader } from './late-reader.ts';
import { ledgerWriters } from './ledger-writers.ts';
import { servers } from './servers.ts';
import { signals } from './signals.ts';
import { type Bite, notices } from './support/bite.ts';

const ROWS = `if (rows.length > 0) {
      await this.#output.append(rows);
      this.#written += rowCount;
      if (sync) await this.#output.sync();
    }
    await this.#checkName(rowCount);
    `;
const LEDGER = `if (this.#writer === void 0 || uuids.length === 0) return;
    await this.#writer.appendRows(uuids, ends, from, sync);`;
const COMMIT = `if (rows.length > 0 || batch.uuids.length > 0 || batch.hasPresent)
      await destination.commit({ ...batch, rows });`;
/** A line of the build: a template with a newline in it. */
const APPENDED = `const bytes = utf8Of(\`\n\${lines}\`);`;
const SYNC = 'await datasync(this.#fd);\n    } catch (error) {\n      throw ioError("cannot sync"';

const canTrace = await has('strace');

const traced: readonly Bite[] = [
  {
    name: 'the ledger is written before the rows',
    from: ROWS + LEDGER,
    to: `{ ${LEDGER.replace('return;', '{} else {')} } }\n    ${ROWS}`,
    tried: (program) =>
      killedAtCalls(program, { savings: ['ndjson'], file: 'out.ndjson', recoveries: false }),
  },
  {
    name: 'records are emitted before they are safe',
    from: COMMIT,
    to: `if (batch.tee !== "") await tee?.(batch.tee);\n    ${COMMIT}\n    batch.tee = "";`,
    tried: (program) =>
      killedAtCalls(program, { savings: ['ndjson'], file: 'out.ndjson', recoveries: false }),
  },
  {
    name: 'a failed fdatasync is ignored',
    from: SYNC,
    to: SYNC.replace(';', '.catch(() => {});'),
    tried: (program) => failingCalls(program, { savings: ['first'], file: 'out.csv' }),
  },
  {
    name: 'a failed fdatasync is tried again',
    from: SYNC,
    to: SYNC.replace(';', '.catch(() => datasync(this.#fd));'),
    tried: (program) => failingCalls(program, { savings: ['first'], file: 'out.csv' }),
  },
];

describe.skipIf(!canTrace)('fault suites (need strace)', () => {
  test.each(traced)('fail if $name', notices, 900_000);
});

const others: readonly Bite[] = [
  {
    name: 'an append to the ledger has no newline before it',
    from: APPENDED,
    to: 'const bytes = utf8Of(lines);',
    tried: (program) => limitedFiles(program, [3]),
  },
  {
    name: 'a short append to the ledger is mistaken for a whole one',
    from: 'const written = await writeOnce(fd, bytes);\n      if (written < bytes.length)',
    to: 'const written = await writeOnce(fd, bytes);\n      if (false)',
    tried: (program) => limitedFiles(program, [4]),
  },
  {
    name: 'a stopped stage drops the tasks it has read',
    from: 'if (taken !== null) yield taken;',
    to: '',
    tried: (program) =>
      signals(
        program,
        // Blocked: while its output is not read, the stage has certainly read ahead.
        ({ name, mood, event }) => name === 'task-exec' && mood === 'blocked' && event === 'SIGTERM',
      ),
  },
  {
    name: 'the end of the output is cut off',
    from: 'await output.finish();\n    if (code',
    to: 'process.exit(code);\n    if (code',
    tried: (program) => lateReader(program),
  },
  {
    name: 'two writers hold one lock',
    from: 'if (!lock(fd, kind, warn)) throw',
    to: 'if (!lock(fd, kind, warn) && kind === "none") throw',
    tried: (program) => ledgerWriters(program, 24, 1),
  },
  {
    name: 'a commit does not check the name of the output',
    from: 'await this.#checkName(rowCount);\n',
    to: '',
    tried: (program) =>
      editsDuring(program, ({ target, edit }) => target === 'output' && edit.name === 'removed'),
  },
  {
    name: 'an append to the ledger does not check its name',
    from: 'await file.check({ again: AGAIN });',
    to: '',
    tried: (program) =>
      editsDuring(program, ({ target, edit }) => target === 'ledger' && edit.name === 'removed'),
  },
  {
    name: 'the last line of a cut input is dropped',
    from: 'if (kept.length > 0 && !options.truncated?.aborted) yield',
    to: 'if (false) yield',
    tried: (program) => cutInput(program, { step: 23, processes: 1 }),
  },
  {
    name: 'a last row without a line end is mistaken for a torn one',
    from: 'if (isOpen !== true || mark === void 0 || start < mark.size) return false;',
    to: 'if (isOpen !== true) return false;',
    tried: (program) => editsBetween(program, { out: 'out.csv', names: /no final line end/ }),
  },
  {
    name: 'rows that the ledger names are not missed',
    from: 'const isShort = opened !== void 0 && found.known < opened.history.saved.size;',
    to: 'const isShort = false;',
    tried: (program) => editsBetween(program, { out: 'out.tsv', names: /deleted/ }),
  },
  {
    name: 'an edited output is mistaken for the sealed one',
    from: 'isSealed && seal?.stamp === stamp &&',
    to: 'isSealed &&',
    tried: (program) => editsBetween(program, { out: 'out.ndjson', names: /deleted/ }),
  },
  {
    name: 'rows deleted from a table are not missed',
    from: 'await rowsNamed(opened, database, hasUuid ? table : void 0);\n  const isShort = met.size < history.saved.size;',
    to: 'await rowsNamed(opened, database, hasUuid ? table : void 0);\n  const isShort = false;',
    tried: (program) => editsBetween(program, { out: 'out.db', names: /row deleted/ }),
  },
  {
    name: "the user's headers cross origins",
    from: 'isSame ? hop.headers : withoutHeaders(hop.headers, (name) => !isCrossing(name, keeps))',
    to: 'hop.headers',
    tried: (program) => servers(program, 0),
  },
];

describe('fault suites', () => {
  test.each(others)('fail if $name', notices, 900_000);
});

test.skipIf(mounts === undefined)(
  'fault suites fail if a short write is ignored (needs mount)',
  async () => {
    await notices({
      name: 'a short write is ignored',
      from: 'at += bytesWritten;',
      to: 'at += bytes.length;',
      tried: (program) => fullDisks(program, [20]),
    });
  },
  900_000,
);
