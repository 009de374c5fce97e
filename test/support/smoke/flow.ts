import { type Flow, linear } from 'taskpipe/flow';

const parse = {
  name: 'parse',
  requires: ['id'],
  provides: 'n',
  execute: ({ id }: { id: string }) => Number(id),
};
const add = { name: 'add', requires: ['n'], provides: 'sum', execute: ({ n }: { n: number }) => n + 100 };

export default linear('sums').add(parse, add) as Flow;
