// Joins the parts of the build that a command loads at its start: 17 files take less time to find, read and link than 90.
// esbuild makes a file for each set of entries that share a module, and cannot join such files.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Files that are loaded at each start, and those of the commands of a pipeline. */
const ALWAYS = ['cli', 'run'];
const COMMANDS = ['task-load', 'exec', 'save'];

/** An import of a chunk, as esbuild writes it, with its names. */
const IMPORT = /^import (?:\{([^}]*)\} from )?"\.\/(chunk-\w+\.js)";/gm;

/**
 * Joins chunks that the same commands load, and changes the imports of them in all files of a folder. A file of chunks
 * imports no file that imports it: what a chunk imports is loaded by all commands that load the chunk.
 */
export async function joinChunks(dist) {
  const names = readdirSync(dist).filter((name) => name.endsWith('.js'));
  const texts = new Map(names.map((name) => [name, readFileSync(join(dist, name), 'utf8')]));
  const moved = new Map();
  for (const [group, chunks] of groupsOf(texts)) {
    const file = `shared-${group}.js`;
    texts.set(file, await joined(dist, file, chunks, texts, moved));
  }
  for (const [name, text] of texts) {
    if (moved.has(name)) rmSync(join(dist, name));
    else writeFileSync(join(dist, name), renamed(name, text, moved));
  }
}

/** Returns the chunks to join, by the names of the commands that load them. */
function groupsOf(texts) {
  const loaders = new Map();
  for (const start of [...ALWAYS, ...COMMANDS]) {
    const all = new Set(
      [...texts.keys()].filter((name) => new RegExp(`^${start}(-[A-Z\\d]{8})?\\.js$`).test(name)),
    );
    if (all.size !== 1) throw new Error(`dist/ has ${all.size} files ${start}.js`);
    for (const name of all) for (const [, , chunk] of texts.get(name).matchAll(IMPORT)) all.add(chunk);
    for (const name of all)
      if (name.startsWith('chunk-')) loaders.set(name, [...(loaders.get(name) ?? []), start]);
  }
  const groups = new Map();
  for (const [chunk, starts] of loaders) {
    const group = ALWAYS.find((start) => starts.includes(start)) ?? starts.join('-');
    groups.set(group, [...(groups.get(group) ?? []), chunk]);
  }
  // Parts of task-load or task-save alone stay apart: code that task-exec loads late needs a few of them.
  return [...groups].filter(
    ([group, chunks]) => chunks.length > 1 && group !== 'task-load' && group !== 'save',
  );
}

/** Returns the text of a file with these chunks, and notes in `moved` where their exports are now. */
async function joined(dist, file, chunks, texts, moved) {
  const taken = new Set();
  const lines = chunks.map((chunk) => {
    const exports = /^export \{([^}]*)\};/m.exec(texts.get(chunk))?.[1] ?? '';
    const aliases = new Map();
    for (const { as } of wordsOf(exports)) {
      let alias = as;
      while (taken.has(alias)) alias += '_';
      taken.add(alias);
      aliases.set(as, alias);
    }
    moved.set(chunk, { file, aliases });
    return `export {${[...aliases].map(([name, alias]) => listed(name, alias))}} from './${chunk}';`;
  });
  const { outputFiles } = await build({
    absWorkingDir: dist,
    stdin: { contents: lines.join('\n'), resolveDir: dist },
    bundle: true,
    write: false,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    external: [...texts.keys()].filter((name) => !chunks.includes(name)).map((name) => `./${name}`),
    logLevel: 'warning',
  });
  return outputFiles[0].text;
}

/** Returns a text with the imports of chunks that were joined changed. */
function renamed(name, text, moved) {
  for (const [, chunk] of text.matchAll(/\bimport\("\.\/(chunk-\w+\.js)"\)/g))
    if (moved.has(chunk)) throw new Error(`${name} imports ${chunk} late`);
  return text.replace(IMPORT, (whole, list, chunk) => {
    const place = moved.get(chunk);
    if (place === undefined) return whole;
    const words = wordsOf(list ?? '').map(({ name, as }) => listed(place.aliases.get(name), as));
    return `import { ${words.join(', ')} } from "./${place.file}";`;
  });
}

function listed(name, as) {
  return name === as ? name : `${name} as ${as}`;
}

/** Returns the items of a list such as `a, b as c`. */
function wordsOf(list) {
  return [...list.matchAll(/([\w$]+)(?: as ([\w$]+))?/g)].map(([, name, as = name]) => ({ name, as }));
}
