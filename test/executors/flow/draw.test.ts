/* Drawings of flows, by task-exec --draw and in a program. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { draw, forEach, graph, linear, task, times, unordered } from '../../../src/flow/index.ts';
import { type Ended, ended, freshFolder, has, sh, start } from '../../support/run.ts';

const FLOW = `import { graph, linear, task, times } from 'taskpipe/flow';
console.log('not a drawing');
const user = task('create "user" & <more>', () => 1, { requires: 'email', provides: 'user' });
const pay = task('pay', () => 2, { requires: 'user', optional: 'card', rebind: { who: 'user' } });
const sure = graph('sure').add(task('ask', () => 1, { provides: 'yes' }), task('act', () => 1, { requires: 'yes' }));
sure.link('ask', 'act', { decider: () => true, depth: 'FLOW' });
export default linear('sign up').add(user, linear('payment', { retry: times(3) }).add(pay), sure);
`;

async function drawn(options: string, source = FLOW): Promise<Ended> {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'flow.js'), source);
  return sh(`task-exec --flow flow.js ${options}`, { cwd });
}

test('--draw mermaid writes atoms, flows, deciders and values, and nothing else', async () => {
  const { stdout, stderr, code } = await drawn('--draw mermaid');
  expect([stdout, code]).toEqual([
    `flowchart TD
  store[("store")]
  subgraph flow0["sign up (linear)"]
    atom0["create #34;user#34; #38; #60;more#62;"]
    subgraph flow1["payment (linear)"]
      atom2{{"payment_retry"}}
      atom1["pay"]
    end
    subgraph flow2["sure (graph)"]
      atom3["ask"]
      atom4["act"]
    end
  end
  atom3 ==>|"decider, else ignore FLOW"| atom4
  atom0 --> flow1
  flow1 --> flow2
  store -.->|"email"| atom0
  atom0 -.->|"user, user as who"| atom1
  store -.->|"card#63;"| atom1
  atom3 -.->|"yes"| atom4
`,
    0,
  ]);
  expect(stderr).toContain('not a drawing');
});

test('--draw dot writes the same for Graphviz', async () => {
  const { stdout, code } = await drawn('--draw dot');
  expect([stdout, code]).toEqual([
    `digraph "sign up" {
  compound=true;
  node [fontname="sans-serif"];
  store [shape=cylinder, label="store"];
  subgraph cluster_flow0 {
    label="sign up (linear)";
    atom0 [shape=box, label="create \\"user\\" &amp; <more>"];
    subgraph cluster_flow1 {
      label="payment (linear)";
      atom2 [shape=hexagon, label="payment_retry"];
      atom1 [shape=box, label="pay"];
    }
    subgraph cluster_flow2 {
      label="sure (graph)";
      atom3 [shape=box, label="ask"];
      atom4 [shape=box, label="act"];
    }
  }
  atom3 -> atom4 [label="decider, else ignore FLOW", style=bold];
  atom0 -> atom2 [lhead=cluster_flow1];
  atom1 -> atom3 [ltail=cluster_flow1, lhead=cluster_flow2];
  store -> atom0 [label="email", style=dashed];
  atom0 -> atom1 [label="user, user as who", style=dashed];
  store -> atom1 [label="card?", style=dashed];
  atom3 -> atom4 [label="yes", style=dashed];
}
`,
    0,
  ]);
});

test('--draw does not read tasks, and ends although the input stays open', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'flow.js'), FLOW);
  const child = start('task-exec --flow flow.js --draw dot', { cwd });
  const { stdout, code } = await ended(child);
  child.stdin?.end();
  expect([stdout.startsWith('digraph'), code]).toEqual([true, 0]);
});

test('--draw is refused for a file without a flow, and for other kinds of work', async () => {
  const made = await drawn(
    '--draw dot',
    "import { linear } from 'taskpipe/flow'; export default () => linear('f');",
  );
  expect([made.stdout, made.code]).toEqual(['', 2]);
  expect(made.stderr).toMatch(/--draw needs a flow, and flow\.js exports a function/);
  const wrong = await drawn(
    '--draw dot',
    "import { linear, task } from 'taskpipe/flow'; export default linear('f').add(task('a', () => 1), task('a', () => 2));",
  );
  expect([wrong.stderr, wrong.code]).toEqual([expect.stringContaining('two atoms are called "a"'), 2]);
  const other = await sh('task-exec --http --draw dot');
  expect([other.stderr, other.code]).toEqual([expect.stringMatching(/--draw/), 2]);
  const format = await drawn('--draw svg');
  expect([format.stderr, format.code]).toEqual([
    expect.stringContaining('--draw must be one of mermaid, dot'),
    2,
  ]);
});

/** Names that mean something in one of the languages, or that neither can show. */
const HOSTILE = [
  'end',
  'a"b',
  'back\\slash\\',
  '\\N \\G \\l',
  '<b>bold</b>',
  '&amp; &lt;',
  '`markdown`',
  '%%{init: {}}%%',
  '%% comment',
  'style x:y#z;',
  'a;b',
  'a --> b',
  'line\nbreak\ttab',
  'nul\0bell\x07',
  '\ud800half',
  '日本 🦜 ünï',
  '#quot;',
  'graph TD',
  '1. first',
  '- item',
  '_x_ y_z',
  ' ',
  '{{x}} [(y)] |z|',
];

/** Returns a flow with a hostile name in every place. */
function hostileFlow(): ReturnType<typeof linear> {
  const flow = linear('f "0" \\').add(unordered('empty'));
  for (const [number, name] of HOSTILE.entries()) {
    const inner = graph(name, { retry: forEach([1], { name: `r${number}${name}`, provides: `p${name}` }) });
    inner.add(
      task(`a${number}${name}`, () => 1, { provides: name }),
      unordered(`u${name}`),
    );
    inner.add(task(`b${number}${name}`, () => 1, { requires: [name, `p${name}`, `s${name}`] }));
    inner.link(`a${number}${name}`, `u${name}`, { decider: () => true });
    flow.add(inner);
  }
  return flow;
}

test('a drawing has one statement per line, whatever the names are', () => {
  const mermaid = draw(hostileFlow(), 'mermaid').trimEnd().split('\n');
  const quoted = '"(?:[^"`%;:<>&\\\\#\\p{Cc}\\p{Cs}]|#\\d+;)*"';
  const statement = new RegExp(
    `^ *(?:flowchart TD|end|subgraph flow\\d+\\[${quoted}\\]|\\w+\\[${quoted}\\]|\\w+\\{\\{${quoted}\\}\\}|\\w+\\[\\(${quoted}\\)\\]|\\w+ (?:-->|==>|-\\.->)(?:\\|${quoted}\\|)? \\w+)$`,
    'u',
  );
  expect(mermaid.filter((line) => !statement.test(line))).toEqual([]);
  const string = '"(?:[^"\\\\]|\\\\.)*"';
  const dotStatement = new RegExp(
    `^ *(?:\\}|digraph ${string} \\{|subgraph cluster_\\w+ \\{|[^"]*(?:${string}[^"]*)*;)$`,
    'u',
  );
  const dot = draw(hostileFlow(), 'dot').trimEnd().split('\n');
  expect(dot.filter((line) => !dotStatement.test(line))).toEqual([]);
});

test('Markdown in a name stays text in Mermaid', () => {
  const flow = linear('f').add(
    task('1. a', () => 1),
    task('- b', () => 1),
    task('_c_ d_e 1.5', () => 1),
  );
  expect(draw(flow, 'mermaid').match(/\["(.*?)"\]/g)).toEqual([
    '["f (linear)"]',
    '["1#46; a"]',
    '["#45; b"]',
    '["#95;c#95; d_e 1.5"]',
  ]);
});

test('Graphviz draws a flow with hostile names', async (context) => {
  if (!(await has('dot'))) context.skip('dot is not installed (package graphviz)');
  const { stdout, stderr, code } = await sh('dot -Tsvg', { input: draw(hostileFlow(), 'dot') });
  expect([code, stderr]).toEqual([0, '']);
  const shown = [...stdout.matchAll(/<text[^>]*>(.*?)<\/text>/g)].map(([, text = '']) => text);
  for (const name of ['a"b', 'back\\slash\\', '\\N \\G \\l', '日本 🦜 ünï', '{{x}} [(y)] |z|']) {
    const text = `${name} (graph)`.replaceAll('"', '&quot;');
    expect(shown, name).toContain(text);
  }
  expect(shown).toContain('&lt;b&gt;bold&lt;/b&gt; (graph)');
  expect(shown).toContain('&amp;amp; &amp;lt; (graph)');
  const { stdout: svg } = await sh('dot -Tsvg', { input: draw(linear('f', { retry: times(2) }), 'dot') });
  expect(svg).toContain('f_retry');
});
