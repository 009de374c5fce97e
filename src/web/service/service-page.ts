import { docs } from './docs.ts';
import { watch } from './watch.ts';

const main = document.querySelector('main') as HTMLElement;
if (document.documentElement.dataset.kind === 'docs') void docs(main);
else watch(main);
