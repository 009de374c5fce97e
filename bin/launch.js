// Starts a command. If that is not possible, prints the reason in one line: Node is too old, or the clone was
// not built.
const NEEDED = [20, 19];
const DEFECT = 70;

/** @param {string} name the command */
export async function launch(name) {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < NEEDED[0] || (major === NEEDED[0] && minor < NEEDED[1])) {
    fail(name, `it needs Node.js ${NEEDED.join('.')} or newer; this is ${process.versions.node}`);
    return;
  }
  let cli;
  try {
    cli = await import('../dist/cli.js');
  } catch (error) {
    const folder = decodeURIComponent(new URL('..', import.meta.url).pathname);
    const isMissing = error.code === 'ERR_MODULE_NOT_FOUND';
    fail(name, isMissing ? `it is not built yet: run npm install in ${folder}` : error.message);
    return;
  }
  await cli.main(name);
}

function fail(name, words) {
  process.exitCode = DEFECT;
  process.stderr.write(`${name}: can't start: ${words}\n`);
}
