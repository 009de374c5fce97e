import { describe, expect, test } from 'vitest';
import { Task } from '../../src/core/record/task.ts';
import { type Job, Lane } from '../../src/core/schedule/lanes/lane.ts';
import { Tally } from '../../src/reports/tally.ts';

const START = Date.UTC(2026, 0, 31);

function jobAt(began: number, host = '', uuid = 'u1'): Job {
  const task = new Task(uuid, `{"uuid":"${uuid}"}`);
  const lane = new Lane(host, undefined);
  return {
    task,
    home: lane,
    lane,
    goOn: undefined,
    ordinal: 0,
    attempts: 1,
    countedAttempts: 0,
    began,
    startedAt: 0,
    place: -1,
  };
}

function started(): Tally {
  const tally = new Tally();
  tally.began(START);
  return tally;
}

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

describe('a tally', () => {
  test('counts each success in its time range, with at most 512 ranges, however long the run', () => {
    const tally = started();
    const job = jobAt(START);
    const hours = 100;
    for (let minute = 0; minute < hours * 60; minute++) {
      for (let i = 0; i < 3; i++) tally.ended(job, undefined, START + minute * 60_000);
    }
    const { throughput, ms } = tally.measured(START + hours * 3_600_000);
    expect(ms).toBe(hours * 3_600_000);
    expect(throughput.succeeded.length).toBeLessThanOrEqual(512);
    expect(throughput.succeeded.length * throughput.width).toBeGreaterThanOrEqual(ms - throughput.width);
    expect(sum(throughput.succeeded)).toBe(hours * 60 * 3);
    // The tasks are evenly spread, so each full range has about the same count.
    const each = (throughput.width / 60_000) * 3;
    for (const count of throughput.succeeded.slice(0, -1))
      expect(Math.abs(count - each)).toBeLessThanOrEqual(3);
  });

  test('survives a clock that moves back, or ahead by years', () => {
    const tally = started();
    for (const now of [START - 5000, START, START + 4e11]) tally.ended(jobAt(START), undefined, now);
    const { latency, throughput } = tally.measured(START + 4e11);
    expect(sum(throughput.succeeded)).toBe(3);
    expect(sum(latency.bins.map(({ count }) => count))).toBe(3);
  });

  test('has the same counts by host as in total, and the causes of each host', () => {
    const tally = started();
    for (let i = 0; i < 1000; i++) {
      const why = i % 4 === 0 ? { code: `C${i % 3}`, message: 'm' } : undefined;
      tally.ended(jobAt(START, `http://h${i % 5}`), why, START + i);
    }
    const { hosts, latency, causes } = tally.measured(START + 1000);
    expect(hosts).toHaveLength(5);
    expect(sum(hosts.map(({ tasks }) => tasks))).toBe(1000);
    expect(sum(hosts.map(({ failed }) => failed))).toBe(250);
    expect(sum(causes.map(({ failed }) => failed))).toBe(250);
    for (const { failed, causes } of hosts) expect(sum(Object.values(causes))).toBe(failed);
    expect(sum(latency.bins.map(({ failed }) => failed))).toBe(250);
  });

  test('separates frequent hosts from 50,000 others, which are combined', () => {
    const tally = started();
    for (let i = 0; i < 50_000; i++) {
      tally.ended(jobAt(START, `http://rare${i}`), { code: 'X', message: 'm' }, START + 1);
      if (i % 10 === 0) tally.ended(jobAt(START, `http://often${i % 7}`), undefined, START + 2);
    }
    const { hosts, otherHosts } = tally.measured(START + 3);
    expect(hosts).toHaveLength(1000);
    expect(
      hosts
        .slice(0, 7)
        .map(({ host }) => host)
        .sort(),
    ).toEqual([...'0123456'].map((n) => `http://often${n}`));
    expect(sum(hosts.map(({ tasks }) => tasks)) + (otherHosts?.tasks ?? 0)).toBe(55_000);
    expect(sum(hosts.map(({ failed }) => failed)) + (otherHosts?.failed ?? 0)).toBe(50_000);
  });

  test('keeps a hundred causes with an example each, and limits their size', () => {
    const tally = started();
    const long = 'x'.repeat(10_000);
    for (let i = 0; i < 5000; i++)
      tally.ended(jobAt(START, 'http://h', `u${i}`), { code: `${i}${long}`, message: long }, START);
    const { causes, hosts } = tally.measured(START);
    expect(causes).toHaveLength(101);
    expect(causes[0]).toMatchObject({ code: 'OTHER', failed: 4900, example: { uuid: 'u100' } });
    expect(Object.keys(hosts[0]?.causes ?? {})).toHaveLength(21);
    expect(JSON.stringify({ causes, hosts }).length).toBeLessThan(100_000);
  });

  test('prefers a failed task to a retried one as the example', () => {
    const tally = started();
    tally.retried(jobAt(START, 'http://h', 'again'), { code: 'BUSY', message: 'first' }, START);
    tally.ended(jobAt(START, 'http://h', 'failed'), { code: 'BUSY', message: 'last' }, START);
    expect(tally.measured(START).causes).toEqual([
      { code: 'BUSY', failed: 1, retries: 1, example: { uuid: 'failed', message: 'last' } },
    ]);
  });
});
