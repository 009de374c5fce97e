/** Maximum time that a condition may take to hold, in milliseconds: less than the limit of a test. */
const LIMIT = 50_000;

/**
 * Waits until a condition holds.
 * @param limit maximum time in milliseconds
 * @throws after this time, with the code of the condition
 */
export async function until(holds: () => Promise<boolean> | boolean, limit = LIMIT): Promise<void> {
  const end = performance.now() + limit;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`waited ${limit / 1000} s for ${holds}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
