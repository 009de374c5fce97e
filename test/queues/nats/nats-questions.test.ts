/* Answers to thousands of messages, and the subjects of deliveries. */
import { expect, test } from 'vitest';
import type { NatsMessage } from '../../../src/core/nats/contract.ts';
import { deliveryOf } from '../../../src/core/nats/jetstream.ts';
import { Questions } from '../../../src/core/nats/nats-questions.ts';

const answer = (subject: string): NatsMessage => ({
  ...{ subject, reply: '', data: new Uint8Array(), status: 0 },
  header: () => '',
});

test('answers come in the order of the questions, each once, whichever comes first', async () => {
  const questions = new Questions();
  const ids: string[] = [];
  const all = questions.addAll(3, (id) => void ids.push(id));
  const single = questions.add((id) => void ids.push(id));
  expect(new Set(ids).size).toBe(4);
  const [a, b, c, d] = ids as [string, string, string, string];
  expect([c, d, a, a, b, 'unknown', 'unknown-1'].map((id) => questions.answer(id, answer(id)))).toEqual([
    ...[true, true, true, false, true, false, false],
  ]);
  expect((await all).map(({ subject }) => subject)).toEqual([a, b, c]);
  expect((await single).subject).toBe(d);
  expect([questions.isWaiting, await questions.addAll(0, () => {})]).toEqual([false, []]);
});

test('a message that cannot be sent, and the loss of the connection, reject the questions with it', async () => {
  const questions = new Questions();
  const ids: string[] = [];
  const [large, other] = [1, 2].map((count) => questions.addAll(count, (id) => void ids.push(id)));
  const waiting = questions.expect<number>(() => {});
  questions.refuse('', new Error('a message without an answer'));
  questions.refuse(ids[0] as string, new Error('too large'));
  await expect(large).rejects.toThrow('too large');
  expect(questions.isWaiting).toBe(true);
  questions.rejectAll(new Error('lost'));
  await expect(other).rejects.toThrow('lost');
  await expect(waiting).rejects.toThrow('lost');
  expect([questions.isWaiting, questions.answer(ids[1] as string, answer('late'))]).toEqual([false, false]);
});

test('the subject of a delivery is read in both of its forms', () => {
  const parts = { count: 2, seq: 345, order: 67, pending: 8 };
  expect(deliveryOf('$JS.ACK.tasks.workers.2.345.67.1700000000000000000.8')).toEqual(parts);
  expect(deliveryOf('$JS.ACK.hub.Ab1.tasks.workers.2.345.67.1700000000000000000.8.x9')).toEqual(parts);
  expect(deliveryOf('$JS.ACK.hub.Ab1.tasks.workers.2.345.67.1700000000000000000.8')).toEqual(parts);
});
