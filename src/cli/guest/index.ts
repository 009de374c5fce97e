/*
 * Protection of a stage from user code in its process (--module, --flow): its standard streams, resources that it
 * leaves open, and blocking code. Must not know what user code does for a task.
 */
export { takeDescriptors, withoutStreams } from './guest-streams.ts';
export { endSoon } from './left-open.ts';
export { offerRescue } from './rescue.ts';
export { openWatchdog, type Watchdog } from './watchdog.ts';
