/** How many colours causes have, `--c0` and so on in theme.css; the last one is for all others. */
export const COLOURS = 7;
