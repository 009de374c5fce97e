/*
 * Reports: measurements of a run of a stage, and their presentation. Owns the tally, the summary on stderr, and the
 * files of --report. Must not know how tasks are run.
 */
export type { Report } from './report.ts';
export { openReport } from './report-file.ts';
export { REPORT_RULE, reportFormatOf } from './report-formats.ts';
export { durationWords } from './report-words.ts';
export { summaryLines } from './summary.ts';
