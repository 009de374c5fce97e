/** `taskpipe/serve`: a long-running function behind a url. */
export { type AppOptions, app, type Stage } from './app.ts';
