import { test } from 'vitest';
import { shortTokens } from './short-tokens.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

test('a run outlives its OAuth tokens, and no task fails or is retried', async () => {
  const seconds = trials(60, 10);
  const report = await shortTokens(ours, seconds);
  const least = { seconds: seconds - 1, requests: seconds * 20, 'tokens fetched': 3 };
  prove('OAuth tokens that live 2 s, in a longer run without retries', report, least);
}, 900_000);
