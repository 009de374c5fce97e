import { TaskpipeError } from '../../core/base/errors.ts';
import { LostStore } from '../store/store-file.ts';
import type { FeederOptions } from './stage.ts';

/** Delay before a failed access to the store is tried again, in milliseconds. */
const AGAIN = 500;

/** Tries again while the store is not available, so that no result is lost. @throws the error if the service stops */
export async function patiently<T>(
  { stopping, warn }: Pick<FeederOptions, 'stopping' | 'warn'>,
  act: () => Promise<T>,
): Promise<T> {
  let said = '';
  for (;;) {
    try {
      return await act();
    } catch (error) {
      const isPassing = error instanceof TaskpipeError && (error.code === 'IO' || error.code === 'LOCKED');
      if (!isPassing || stopping.aborted) throw error;
      if (said !== error.message && !(error instanceof LostStore))
        warn(`${error.message}; tried again until it works`);
      said = error.message;
      await new Promise((resolve) => setTimeout(resolve, AGAIN));
    }
  }
}
