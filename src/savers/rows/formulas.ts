const FORMULA = /^[=+\-@\t\r]/;
const NUMBER = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Escapes a cell that a spreadsheet would run as a formula (OWASP, "CSV Injection"). */
export function escapeFormula(cell: string): string {
  return FORMULA.test(cell) && !NUMBER.test(cell) ? `'${cell}` : cell;
}

/** Returns the name of a column without the escape. */
export function unescaped(name: string): string {
  const bare = name.slice(1);
  return name === `'${bare}` && escapeFormula(bare) === name ? bare : name;
}
