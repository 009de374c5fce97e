// Data sets of the record benchmarks. Each is made from a seed, so it is the same each time.

/** Returns a generator of whole numbers from 0 to `below` - 1: Numerical Recipes' generator. */
function numbersFrom(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const STATES = ['CA', 'NY', 'TX', 'WA', 'MA'];
/** Cells of real tables: words, quotes, commas, numbers, several scripts, empty cells. */
const CELLS = [
  ...['Main Street 12', 'Größenwahn, GmbH', '"quoted"', '北京市朝阳区', '12.50', '', "O'Neill & Sons", '-3'],
  ...['a, b and c', 'Žluťoučký kůň', '2026-01-31T12:00:00Z', 'yes', '東京都', 'x'.repeat(40), '0', '\t'],
];
const WORDS = 'the of and to in is that it was for on are with as his they be at one have this from'.split(
  ' ',
);

const quoted = (cell) => (/[",\n\r]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
const row = (cells) => `${cells.map(quoted).join(',')}\n`;

/**
 * The data sets by name: how many records for a million asked, their first line, and a maker of lines. `urlOf` returns
 * the url of a number. CSV has the key in `url`, NDJSON too.
 */
export const DATA_SETS = {
  kind: {
    share: 1,
    header: 'id,url,state,name\n',
    line: (i, { urlOf }) => `${i},${urlOf(i)},${STATES[(i * 7) % 5]},Name number ${i}\n`,
  },
  quoted: {
    share: 1,
    header: 'id,url,state,note\n',
    line: (i, { urlOf, random }) =>
      row(
        [i, urlOf(i), STATES[i % 5], random(10) === 0 ? 'a "quoted", note' : `Name number ${i}`].map(String),
      ),
  },
  wide: {
    share: 0.06,
    header: row(['url', ...Array.from({ length: 49 }, (_, i) => `column ${i + 1}`)]),
    line: (i, { urlOf, random }) =>
      row([urlOf(i), ...Array.from({ length: 49 }, () => CELLS[random(CELLS.length)])]),
  },
  nested: { share: 0.3, header: '', line: (i, tools) => `${JSON.stringify(nested(i, tools))}\n` },
  long: {
    share: 0.05,
    header: 'id,url,text\n',
    line: (i, { urlOf, random }) => row([String(i), urlOf(i), text(random)]),
  },
};

/** Returns the line maker of a data set. @param urlOf returns the url of a number */
export function lineMaker({ line }, urlOf) {
  const tools = { urlOf, random: numbersFrom(20_261_128) };
  return (i) => line(i, tools);
}

/** Returns an object of one of many shapes. */
function nested(i, { urlOf, random }) {
  const record = { id: i, url: urlOf(i) };
  for (let k = random(6); k > 0; k--) record[`field${random(12)}`] = random(1000) / 8;
  if (random(2) === 0) record.tags = Array.from({ length: random(5) }, () => WORDS[random(WORDS.length)]);
  record.payload = {
    name: CELLS[random(CELLS.length)],
    address: random(3) === 0 ? null : { street: CELLS[random(CELLS.length)], number: random(200) },
    orders: Array.from({ length: random(3) }, (_, k) => ({
      sku: `s-${k}-${random(99)}`,
      price: random(9999) / 100,
    })),
    isNew: random(2) === 0,
  };
  return record;
}

/** Returns a text of about 2 KB, in several paragraphs. */
function text(random) {
  const words = Array.from({ length: 450 }, () => WORDS[random(WORDS.length)]);
  return words
    .map((word, i) => (i % 90 === 89 ? `${word}.\n\n` : `${word} `))
    .join('')
    .trimEnd();
}
