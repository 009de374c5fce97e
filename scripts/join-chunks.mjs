// Joins the parts of the build that a command loads at its start: Node finds, reads and links 17 files faster
// than 90. esbuild makes a file for each set of entries that share a module, and cannot join such files.
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Files that are loaded at each start, and those of the commands of a pipeline. */
const ALWAYS = ['cli', 'run'];
const COMMANDS = ['task-load', 'exec', 'save'];
/** Files that are loaded without a command, by threads and programs. */
const ALONE = ['flow', 'thread', 'watchdog'];
/** Groups that stay apart, since code that task-exec loads late needs a few of their chunks. */
const APART = new Set(['task-load', 'save', ...ALONE]);

/** An import of a chunk, as esbuild writes it, with its names. */
const IMPORT = /^import (?:\{([^}]*)\} from )?"\.\/(chunk-\w+\.js)";/gm;

/**
 * Joins chunks that the same commands load, and changes the imports of them in all files of a folder. Files of
 * chunks never import each other in a cycle: a command that loads a chunk also loads all that the chunk
 * imports.
 */
export async function joinChunks(dist) {
  const names = readdirSync(dist).filter((name) => name.endsWith('.js'));
  const texts = new Map(names.map((name) => [name, readFileSync(join(dist, name), 'utf8')]));
  const moved = new Map();
  for (const [group, chunks] of groupsOf(texts)) {
    const file = `shared-${group}.js`;
    texts.set(file, await joined(dist, file, chunks, texts, moved));
  }
  if (moved.size === 0) throw new Error('dist/ has no imports of chunks as esbuild writes them');
  for (const [name, text] of texts) {
    if (moved.has(name)) rmSync(join(dist, name));
    else writeFileSync(join(dist, name), renamed(name, text, moved));
  }
}

/** Returns the chunks to join, by the names of the files that load them. */
function groupsOf(texts) {
  const loaders = new Map();
  for (const start of [...ALWAYS, ...COMMANDS, ...ALONE])
    for (const chunk of loadedBy(start, texts)) loaders.set(chunk, [...(loaders.get(chunk) ?? []), start]);
  const groups = new Map();
  for (const [chunk, starts] of loaders) {
    const always = ALWAYS.find((start) => starts.includes(start));
    const group = starts.filter((start) => always === undefined || start === always || ALONE.includes(start));
    groups.set(group.join('-'), [...(groups.get(group.join('-')) ?? []), chunk]);
  }
  return [...groups].filter(([group, chunks]) => chunks.length > 1 && !APART.has(group));
}

/** Returns the chunks that an entry imports, and those that they import. An entry that is loaded late has a hash in its name. */
function loadedBy(start, texts) {
  const late = [...texts.keys()].filter((name) => new RegExp(`^${start}-[A-Z\\d]{8}\\.js$`).test(name));
  const [entry, another] = texts.has(`${start}.js`) ? [`${start}.js`] : late;
  if (entry === undefined || another !== undefined)
    throw new Error(`dist/ has ${late.length} files ${start}-*.js`);
  const all = new Set([entry]);
  for (const name of all) for (const [, , chunk] of texts.get(name).matchAll(IMPORT)) all.add(chunk);
  return [...all].slice(1);
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
  const changed = text.replace(IMPORT, (whole, list, chunk) => {
    const place = moved.get(chunk);
    if (place === undefined) return whole;
    const words = wordsOf(list ?? '').map(({ name, as }) => listed(place.aliases.get(name), as));
    return `import { ${words.join(', ')} } from "./${place.file}";`;
  });
  for (const [, chunk] of changed.matchAll(/"\.\/(chunk-\w+\.js)"/g))
    if (moved.has(chunk)) throw new Error(`${name} imports ${chunk} in a way that is not known here`);
  return changed;
}

function listed(name, as) {
  return name === as ? name : `${name} as ${as}`;
}

/** Returns the items of a list such as `a, b as c`. */
function wordsOf(list) {
  return [...list.matchAll(/([\w$]+)(?: as ([\w$]+))?/g)].map(([, name, as = name]) => ({ name, as }));
}
