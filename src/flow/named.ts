/** Sets a property with a name that the user chose; `__proto__` is treated as an ordinary name. */
export function put<T>(values: Record<string, T>, name: string, value: T): void {
  if (name === '__proto__') {
    Object.defineProperty(values, name, { value, enumerable: true, configurable: true, writable: true });
  } else values[name] = value;
}
