import type { Report } from './report.ts';

export interface ReportFormat {
  /** Endings of file names. */
  readonly endings: readonly string[];
  /** Encodes a report as the text of a file. Loads its code when called. */
  encode(report: Report): Promise<string>;
}

/** Report formats, by name. */
export const reportFormats: Readonly<Record<string, ReportFormat>> = {
  json: {
    endings: ['.json'],
    encode: async (report) => (await import('./report-json.ts')).encodeJson(report),
  },
  html: {
    endings: ['.html', '.htm'],
    encode: async (report) => (await import('./html/report-html.ts')).encodeHtml(report),
  },
};

/** Returns the format for the ending of a file name; undefined if it is unknown. */
export function reportFormatOf(path: string): ReportFormat | undefined {
  const name = path.toLowerCase();
  return Object.values(reportFormats).find(({ endings }) => endings.some((ending) => name.endsWith(ending)));
}

/** Rule for the file name of a report. */
export const REPORT_RULE: string = `must end in one of ${Object.values(reportFormats)
  .flatMap(({ endings }) => endings)
  .join(', ')}`;
