/**
 * `taskpipe/serve`: a web service over a long-running function. Owns the routes, the queue of accepted tasks, their
 * results in the database, and the page. Must not know how a task is run: that is a stage.
 */
export { type AppOptions, app, type ServedStage, type Stage, type StageHooks } from './app.ts';
