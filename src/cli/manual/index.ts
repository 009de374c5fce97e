/*
 * Man pages and docs/options.md, made from the declarations of the commands. The build runs this; no command loads it.
 * Must not contain text about an option: that is in the declaration.
 */
import { commands } from '../../commands/index.ts';
import { commandPage, type Edition, sectionOf } from './man-page.ts';
import { overviewPage } from './overview.ts';

export type { Edition } from './man-page.ts';
export { optionsTable } from './markdown.ts';

export interface ManPage {
  /** Path below the folder of the manual, such as `man1/task-load.1`. */
  readonly path: string;
  /** Text in roff, with the macros of man(7). */
  readonly text: string;
}

/** Returns one page for each command, and taskpipe(7). */
export async function manPages(edition: Edition): Promise<readonly ManPage[]> {
  const all = await Promise.all(Object.values(commands).map((get) => get()));
  const pages = all.map((command) => ({ name: command.name, text: commandPage(command, edition) }));
  return [...pages, { name: 'taskpipe', text: overviewPage(all, edition) }].map(({ name, text }) => ({
    path: `man${sectionOf(name)}/${name}.${sectionOf(name)}`,
    text,
  }));
}
