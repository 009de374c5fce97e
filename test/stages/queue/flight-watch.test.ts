import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { FlightWatch } from '../../../src/stages/queue/flight-watch.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => void vi.useRealTimers());

const SECOND = 1000;
const open = (): FlightWatch => new FlightWatch({ missingAfter: 3 * SECOND, quiet: 60 * SECOND });

/** Checks the watch as often as `pull` does, and returns the missing tasks. */
function wait(flights: FlightWatch, milliseconds: number): string[] {
  const missing: string[] = [];
  for (let passed = 0; passed < milliseconds; passed += 250) {
    vi.advanceTimersByTime(250);
    missing.push(...flights.missing(performance.now()));
  }
  return missing;
}

test('a task is missing if later ones came back, and not if it is only slow', () => {
  const flights = open();
  flights.delivered(['a', 'b'], performance.now());
  expect(wait(flights, 600 * SECOND)).toEqual([]);
  flights.returned(['b'], performance.now());
  expect(wait(flights, 4 * SECOND)).toEqual(['a']);
});

test('a task that was missing before is missing again once no task came back for the same time', () => {
  const flights = open();
  flights.delivered(['a', 'b'], performance.now());
  flights.returned(['b'], performance.now());
  expect(wait(flights, 4 * SECOND)).toEqual(['a']);
  flights.returned(['a'], performance.now()); // the queue reports that it was returned
  flights.delivered(['a', 'slow'], performance.now());
  expect(wait(flights, 2 * SECOND)).toEqual([]);
  expect(wait(flights, 2 * SECOND)).toEqual(['a']);
  expect(wait(flights, 600 * SECOND)).toEqual([]);
});

test('a task that came back after it was missing is like any other', () => {
  const flights = open();
  flights.delivered(['a', 'b'], performance.now());
  flights.returned(['b'], performance.now());
  expect(wait(flights, 4 * SECOND)).toEqual(['a']);
  flights.delivered(['a'], performance.now());
  flights.returned(['a'], performance.now());
  flights.delivered(['a'], performance.now());
  expect(wait(flights, 600 * SECOND)).toEqual([]);
});

test('a task that is delivered again before its return is reported goes behind all tasks in flight', () => {
  const flights = open();
  flights.delivered(['a', 'b'], performance.now());
  flights.delivered(['a'], performance.now());
  flights.returned(['a'], performance.now());
  expect(wait(flights, 4 * SECOND)).toEqual(['b']);
});

test('a pause of the process itself is not mistaken for silence', () => {
  const flights = open();
  flights.delivered(['a', 'b'], performance.now());
  flights.returned(['b'], performance.now());
  expect(wait(flights, 4 * SECOND)).toEqual(['a']);
  flights.delivered(['a'], performance.now());
  vi.advanceTimersByTime(3600 * SECOND);
  expect(flights.missing(performance.now())).toEqual([]);
});
