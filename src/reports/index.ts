import type { Report } from './report.ts';

/** A form that a report is written in. */
export interface ReportFormat {
  /** How its files' names end. */
  readonly endings: readonly string[];
  /** The report as the text of a file. Loads what it takes when it is called. */
  encode(report: Report): Promise<string>;
}

/** The forms that reports are written in, by name. */
export const reportFormats: Readonly<Record<string, ReportFormat>> = {
  json: {
    endings: ['.json'],
    encode: async (report) => (await import('./json.ts')).encodeJson(report),
  },
  html: {
    endings: ['.html', '.htm'],
    encode: async (report) => (await import('./html.ts')).encodeHtml(report),
  },
};

/** The form of a report by the ending of its file's name; undefined where that tells nothing. */
export function reportFormatOf(path: string): ReportFormat | undefined {
  const name = path.toLowerCase();
  return Object.values(reportFormats).find(({ endings }) => endings.some((ending) => name.endsWith(ending)));
}

/** The rule for the name of a report. */
export const REPORT_RULE: string = `must end in one of ${Object.values(reportFormats)
  .flatMap(({ endings }) => endings)
  .join(', ')}`;
