/** Number of colours of causes, `--c0` and so on in theme.css; the last one is for all other causes. */
export const COLOURS = 7;
