// The function that `task-exec --module` is measured with: it does nothing.
export default async () => {};
