/* Examples in doc comments compile against the built package, and the functions that comments name are exported. */
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, root, sh } from './support/run.ts';

interface Example {
  readonly file: string;
  readonly code: string;
}

const FACES = { taskpipe: 'index', 'taskpipe/flow': 'flow/index', 'taskpipe/serve': 'serve/index' } as const;

const sources = readdirSync(join(root, 'src'), { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts'));

/** Returns the doc comments of a file, without their stars. */
function commentsOf(path: string): string[] {
  const comments = readFileSync(path, 'utf8').match(/\/\*\*(?:(?!\*\/).)*\*\//gs) ?? [];
  return comments.map((comment) => comment.slice(3, -2).replace(/^[ \t]*\* ?/gm, ''));
}

/** Returns the code of a comment: between fences, or lines indented by four spaces after a blank one. */
function examplesIn(comment: string): string[] {
  const fenced = [...comment.matchAll(/^```(?:ts|js)?\n(.*?)^```/gms)].map(([, code = '']) => code);
  const indented = [...comment.matchAll(/(?<=^\s*\n)(?: {4}.*\n|[ \t]*\n(?= {4}))+/gm)].map(([code]) => code);
  return [...fenced, ...indented].filter((code) => code.trim() !== '');
}

/** Returns the names that a face of the package exports as values or types. */
function exportsOf(face: string): string[] {
  const text = readFileSync(join(root, 'src', `${face}.ts`), 'utf8');
  return [...text.matchAll(/export (?:type )?\{([^}]*)\}/g)].flatMap(([, list = '']) =>
    list
      .split(',')
      .map((one) => one.trim().replace(/^type |^.* as /g, ''))
      .filter((one) => one !== ''),
  );
}

/** Returns the example as a module that imports the names it uses, unless it imports or declares them itself. */
function moduleOf(code: string): string {
  const seen = new Set<string>();
  const imports = Object.entries(FACES).map(([name, face]) => {
    const used = exportsOf(face).filter(
      (one) =>
        new RegExp(`(?<![\\w.'"/-])${one}(?!\\s*:|[\\w'"-])`).test(code) &&
        !new RegExp(`(?:const|let|function|class)\\s+${one}\\b|import[^;]*\\b${one}\\b`).test(code) &&
        !seen.has(one),
    );
    for (const one of used) seen.add(one);
    return used.length === 0 ? '' : `import { ${used.join(', ')} } from '${name}';\n`;
  });
  return `${imports.join('')}\n${code}\nexport {};\n`;
}

const OPTIONS = {
  ...{ strict: true, noEmit: true, target: 'es2023', module: 'nodenext', types: ['node'] },
  ...{ skipLibCheck: true, exactOptionalPropertyTypes: true },
};

/** Type-checks modules against the built package. Returns the output of the compiler. */
async function check(modules: readonly string[]): Promise<string> {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'node_modules'));
  symlinkSync(root, join(cwd, 'node_modules/taskpipe'));
  symlinkSync(join(root, 'node_modules/@types'), join(cwd, 'node_modules/@types'));
  writeFileSync(join(cwd, 'package.json'), '{"type":"module"}');
  writeFileSync(join(cwd, 'tsconfig.json'), JSON.stringify({ compilerOptions: OPTIONS, include: ['*.ts'] }));
  for (const [i, text] of modules.entries()) writeFileSync(join(cwd, `example-${i}.ts`), text);
  const { stdout, stderr } = await sh(`'${join(root, 'node_modules/.bin/tsc')}' --project .`, { cwd });
  return stdout + stderr;
}

test('examples in doc comments compile against the built package', async () => {
  const examples: Example[] = sources.flatMap((file) =>
    commentsOf(join(root, 'src', file)).flatMap((comment) =>
      examplesIn(comment).map((code) => ({ file, code })),
    ),
  );
  expect(examples.map(({ file }) => file)).toEqual(
    expect.arrayContaining(['stages/load/load.ts', 'stages/pipeline.ts', 'serve/app.ts']),
  );
  const said = await check(examples.map(({ code }) => moduleOf(code)));
  const named = said.replace(/example-(\d+)\.ts/g, (_, i) => `${examples[Number(i)]?.file}, its example`);
  expect(named).toBe('');
});

test('the check finds examples that do not compile', async () => {
  const broken = [
    'const done = exec(http(), { jobs: 50 });',
    'const done = exec(await http(), { job: 50 });',
    'compute(1);',
  ];
  const said = await check(broken.map(moduleOf));
  for (const i of broken.keys()) expect(said).toContain(`example-${i}.ts`);
  expect(examplesIn('Text:\n\n    code();\n    more();\n\nText\n')).toEqual(['    code();\n    more();\n']);
  expect(examplesIn('\n```ts\ncode();\n```\n')).toEqual(['code();\n']);
});

/** Returns the declaration files that users see: those of the faces, and all that these import. */
function declarations(): string[] {
  const found = new Set(Object.values(FACES).map((face) => join(root, 'dist', `${face}.d.ts`)));
  for (const file of found) {
    for (const [, path = ''] of readFileSync(file, 'utf8').matchAll(
      /(?:from |import\()['"](\.[^'"]*)\.ts['"]/g,
    )) {
      const next = join(dirname(file), `${path}.d.ts`);
      if (existsSync(next)) found.add(next); // a Set visits items added during iteration
    }
  }
  return [...found];
}

test('every function named in a public doc comment is exported or declared beside it', () => {
  const exported = new Set(Object.values(FACES).flatMap(exportsOf));
  const missing: string[] = [];
  for (const file of declarations()) {
    const text = readFileSync(file, 'utf8');
    const code = text.replace(/\/\*.*?\*\//gs, '');
    for (const [, name = ''] of commentsOf(file)
      .join('\n')
      .matchAll(/(?<!\.)`([a-z]\w+)\([^`]*\)`/gi)) {
      if (!exported.has(name) && !new RegExp(`\\b${name}\\b`).test(code))
        missing.push(`${name}() in ${file}`);
    }
  }
  expect(missing).toEqual([]);
});
