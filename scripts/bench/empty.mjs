// The function for the benchmarks of `task-exec --module`: it does nothing.
export default async () => {};
