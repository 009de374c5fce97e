// The function for the benchmarks of `task-exec --module --batch`: it does nothing.
export default async (tasks) => new Array(tasks.length).fill();
