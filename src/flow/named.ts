/** Sets a value of a user's name: `__proto__` is a name like any other. */
export function put<T>(values: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') {
    Object.defineProperty(values, name, { value, enumerable: true, configurable: true, writable: true });
  } else values[name] = value;
}
