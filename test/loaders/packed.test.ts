/* Packed files, and files of another type than their name says. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { Zstd } from '@hpcc-js/wasm-zstd';
import { describe, expect, test } from 'vitest';
import { BrokenFrames, framesOf } from '../../src/loaders/source/zstd.ts';
import { unpackFrame } from '../../src/loaders/source/zstd-blocks.ts';
import { loaded } from '../support/loaded.ts';
import { freshFolder, sh } from '../support/run.ts';

const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex');
const tar = (name: string): Buffer =>
  Buffer.concat([Buffer.from(name), Buffer.alloc(257 - name.length), Buffer.from('ustar\x0000')]);

test.each<[string, Buffer, string]>([
  [
    'a.csv.xz',
    bytes('fd377a585a0000'),
    'is an xz file; unpack it, as in: xz -dc a.csv.xz | task-load --format csv',
  ],
  ['a.csv.bz2', Buffer.from('BZh91AY'), 'is a bzip2 file; unpack it, as in: bzip2 -dc a.csv.bz2 | '],
  ['a.csv.lz4', bytes('04224d1800'), 'is an lz4 file; unpack it, as in: lz4 -dc'],
  ['a.csv.Z', bytes('1f9d9061'), 'is a file of compress; unpack it, as in: gzip -dc a.csv.Z'],
  ['a.zip', bytes('504b030414000000000000000000'), 'is a zip archive; unpack it, as in: unzip -p a.zip |'],
  [
    'a.ods',
    bytes('504b0304140000000000'),
    'is a workbook of a spreadsheet program (xlsx or ods); save it as CSV',
  ],
  [
    'b.zip',
    Buffer.concat([bytes('504b0304'), Buffer.alloc(26), Buffer.from('[Content_Types].xml')]),
    'is a workbook',
  ],
  ['a.xls', bytes('d0cf11e0a1b11ae1'), 'soffice --headless --convert-to csv a.xls'],
  ['a.7z', bytes('377abcaf271c0004'), 'is a 7-Zip archive; unpack it, as in: 7z e -so a.7z'],
  ['a.rar', Buffer.from('Rar!\x1a\x07\x01', 'latin1'), 'is a RAR archive'],
  ['a.tar', tar('a.csv'), 'is a tar archive; unpack it, as in: tar -xOf a.tar |'],
  ['a.tar.gz', zlib.gzipSync(tar('a.csv')), 'is a tar archive; unpack it, as in: tar -xOf a.tar.gz |'],
  ['a.csv.gz', zlib.gzipSync(zlib.gzipSync('a\n1\n')), 'is a gzip file inside another'],
  [
    'a.bin',
    Buffer.from('PAR1\x15\x04'),
    'is a Parquet file; it is read from a file, not from a pipe: task-load --format parquet a.bin',
  ],
  ['a.pdf', Buffer.from('%PDF-1.7\n'), 'is a PDF'],
  ['a.csv', Buffer.from('SQLite format 3\0'), 'is a SQLite database, not csv; add --format sqlite'],
  ['a.csv', Buffer.from('\n<!DOCTYPE html>\n<html>'), 'is an HTML page, not csv'],
  ['a.json', Buffer.from('<html lang="en">'), 'is an HTML page, not json'],
  ['a.tsv', Buffer.from('<?xml version="1.0"?>'), 'is XML, not tsv'],
  ['a.csv', Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:0\n'), 'git lfs pull'],
])('%s is rejected, and the error names its type (case %#)', async (name, content, words) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, name), content);
  const end = await sh(`task-load ${name}`, { cwd });
  expect([end.stdout, end.code, end.stderr]).toEqual([
    '',
    65,
    expect.stringContaining(`task-load: ${name} ${words.startsWith('is') ? words : ''}`),
  ]);
  expect(end.stderr).toContain(words);
  const pipe = await sh(`task-load --format csv < ${name}`, { cwd });
  expect([pipe.stdout, pipe.code]).toEqual(['', 65]);
});

test('text that begins like a packed file is read', async () => {
  expect((await loaded('PK\nBZ\n', { format: 'lines' }, 1)).tasks).toEqual([{ line: 'PK' }, { line: 'BZ' }]);
  expect((await loaded('<a>,b\n1,2\n', { format: 'csv' })).tasks).toHaveLength(1);
});

test('gzip with several members and trailing NULs is read', async () => {
  const two = Buffer.concat([zlib.gzipSync('a,b\n1,2\n'), zlib.gzipSync('3,4\n'), Buffer.alloc(100)]);
  for (const length of [1, 1000])
    expect((await loaded(two, { format: 'csv' }, length)).tasks).toHaveLength(2);
});

test('truncated, broken or extended gzip data is an error that names the fault', async () => {
  const whole = zlib.gzipSync(`a,b\n${'1,2\n3,4\n'.repeat(1000)}`);
  const wrong = Buffer.from(whole);
  wrong[whole.length - 6] = (wrong[whole.length - 6] as number) ^ 1;
  await expect(loaded(whole.subarray(0, -9), { format: 'csv' })).rejects.toThrow(
    'the gzip data is cut short',
  );
  await expect(loaded(wrong, { format: 'csv' })).rejects.toThrow('the gzip data is broken');
  const more = Buffer.concat([whole, Buffer.from('garbage')]);
  await expect(loaded(more, { format: 'csv' })).rejects.toThrow(
    'something else follows the gzip data; leave it out with: gzip -dc FILE',
  );
});

/** `a,b`, `1,2` and 300 times `3,4`, without a checksum and with one. */
const ZSTD = ['KLUv/WC4A5UAAFhhLGIKMSwyCjMsNAEAqvw7Lw==', 'KLUv/WS4A5UAAFhhLGIKMSwyCjMsNAEAqvw7L5xOZus='].map(
  (text) => Buffer.from(text, 'base64'),
);
const SKIPPED = Buffer.concat([bytes('5a2a4d1803000000'), Buffer.from('abc')]);

async function framesIn(input: Buffer, length: number): Promise<string[]> {
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < input.length; at += length) yield input.subarray(at, at + length);
  };
  const frames: string[] = [];
  for await (const frame of framesOf(pieces())) {
    const parts: Buffer[] = [];
    for await (const part of frame) parts.push(part);
    frames.push(Buffer.concat(parts).toString('base64'));
  }
  return frames;
}

test('zstd frames are found in any chunks, and truncated or foreign data is an error', async () => {
  const all = Buffer.concat([...ZSTD, SKIPPED, ...ZSTD]);
  const names = ZSTD.map((frame) => frame.toString('base64'));
  for (const length of [1, 7, 1000]) expect(await framesIn(all, length)).toEqual([...names, ...names]);
  for (let end = 1; end < (ZSTD[1]?.length as number); end++)
    await expect(framesIn(Buffer.from(ZSTD[1]?.subarray(0, end) as Buffer), 5)).rejects.toThrow(
      'unexpected end of file',
    );
  await expect(framesIn(Buffer.concat([ZSTD[0] as Buffer, Buffer.from('garbage')]), 5)).rejects.toThrow(
    BrokenFrames,
  );
});

test('zstd is read: several frames, frames to skip, a file or a pipe', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv.zst'), Buffer.concat([SKIPPED, ...ZSTD, SKIPPED]));
  const options = '--no-header --duplicates keep --quiet';
  for (const from of ['a.csv.zst', '- --format csv < a.csv.zst']) {
    const end = await sh(`task-load ${options} ${from}`, { cwd });
    expect([end.stdout.split('\n').length - 1, end.code]).toEqual([604, 0]);
  }
});

async function unpacked(input: Buffer): Promise<Buffer> {
  const pieces = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < input.length; at += 1000) yield input.subarray(at, at + 1000);
  };
  const parts: Buffer[] = [];
  for await (const frame of framesOf(pieces()))
    for await (const part of unpackFrame(frame)) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

describe('zstd on a Node without it', () => {
  test('is what libzstd has packed: random, repetitive, tiny and empty data, at any level', async () => {
    const zstd = await Zstd.load();
    const text = Array.from({ length: 40_000 }, (_, i) => `${i},row ${(i * 7919) % 1007}`).join('\n');
    const noise = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * i * 31 + (i >> 3)) % 251));
    for (const data of [Buffer.from(text), noise, Buffer.alloc(500_000), Buffer.from('a'), Buffer.alloc(0)])
      for (const level of [-5, 1, 3, 12]) {
        const packed = Buffer.from(zstd.compress(data, level));
        expect((await unpacked(Buffer.concat([packed, packed]))).equals(Buffer.concat([data, data]))).toBe(
          true,
        );
      }
  });

  test('is an error if a byte has changed, or it needs a dictionary or a large window', async () => {
    const [, checked] = ZSTD as [Buffer, Buffer];
    const wrong = Buffer.from(checked);
    wrong[12] = (wrong[12] as number) ^ 1;
    await expect(unpacked(wrong)).rejects.toThrow('its checksum does not fit');
    await expect(unpacked(bytes('28b52ffd010009 00'.replace(' ', '')))).rejects.toThrow(BrokenFrames);
    await expect(unpacked(bytes('28b52ffd0100090000000000'))).rejects.toThrow('needs a dictionary');
    await expect(unpacked(bytes('28b52ffd00a8010000'))).rejects.toThrow('needs a window of 2048 MB');
    await expect(unpacked(bytes('28b52ffda000000040010000'))).rejects.toThrow('needs a window of 1024 MB');
  });
});
