/*
 * A process that starts commands for the stage. Starting one takes a millisecond of the process that does it, most of
 * it a fork, whose time grows with the memory of who forks; so a few small processes do it, side by side. And as a
 * runner outlives a stage that was killed, it can kill what would otherwise go on.
 */
import { Socket } from 'node:net';
import split2 from 'split2';
import { type Launched, launch } from './launch.ts';
import type { Order, Report, Setup } from './protocol.ts';

const channel = new Socket({ fd: 3, readable: true, writable: true });
const running = new Map<number, Launched>();
let setup: Setup | undefined;

channel.pipe(split2()).on('data', (line: string) => {
  const message: unknown = JSON.parse(line);
  if (setup === undefined) setup = message as Setup;
  else run(message as Order, setup);
});
channel.on('error', () => {});
channel.on('close', () => {
  for (const launched of running.values()) launched.kill();
});

function run(order: Order, to: Setup): void {
  const launched = launch(order, to, report);
  if (launched !== undefined) running.set(order.id, launched);
}

function report(ended: Report): void {
  running.delete(ended.id);
  if (!channel.destroyed) channel.write(`${JSON.stringify(ended)}\n`);
}
