import { flag, path, size, text, value } from '../../../core/options/declare.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { compileTemplate } from '../../../core/record/template.ts';
import type { BodyMode } from './body.ts';
import { compileRegex } from './expect.ts';

const BODY_MODES: readonly BodyMode[] = ['auto', 'text', 'json', 'base64', 'none'];

/** Options of an HTTP stage for the body of an answer: what it must be, and its form in the result. */
export const answerOptions = {
  /** JMESPath expression that must be true of the body. */
  expectJson: text('JMESPath expression that must be true of the body', {
    placeholder: 'EXPR',
    details:
      'null, false and empty values are false, 0 is true. The task fails with EXPECT_JSON, and is not retried.',
  }),
  /** Expression that the text of the body must match. */
  expectBody: value('regular expression that the text of the body must match', '/RE/', compileRegex),
  /** Form of the body in the result. Default `auto`: by content type. */
  body: value(
    'form of the body in the result; auto decides by content type',
    BODY_MODES.join('|'),
    toBodyMode,
    {
      default: 'auto' as BodyMode,
      choices: BODY_MODES,
      details:
        'auto keeps JSON as "json", text as "text" and everything else as "base64". json fails a task whose body is not JSON; none discards the body.',
    },
  ),
  /** Folder for bodies, one file each, or a path with attributes, such as `pdfs/{sku}.{result.type}`. */
  bodyDir: {
    ...path('write bodies to files in this folder, or to files named by attributes, as in pdfs/{sku}.pdf', {
      placeholder: 'DIR',
      details:
        'In a folder, a file is named after the uuid of its task, so a later run replaces it, with an extension by content type. A name made of attributes is written once: a task whose file belongs to another task fails with FILE_TAKEN. {result.type} is the extension. A body of more than 1 MB that breaks off is continued by the next attempt or run. The result has "file", "bytes" and "sha256". The file is complete and on disk before the record is written.',
    }),
    parse: toBodyDir,
  },
  /** Largest body in bytes, both as received and decompressed. Default 16 MiB; for bodies in files, 1 GiB decompressed. */
  maxBody: size('largest body, both as received and decompressed', {
    defaultText: '16MB; for files 1GB decompressed, otherwise none',
  }),
  /** Keeps the response headers in the result. */
  headers: flag('keep the response headers in the result'),
};

/** Checks a folder, or a path with attributes. @throws {InvalidValue} */
function toBodyDir(typed: string): string {
  if (typed === '') throw new InvalidValue('must be a path');
  if (compileTemplate(typed).names.length > 0 && /(^|\/)\.{0,2}$/.test(typed))
    throw new InvalidValue('must end with the name of a file, as in pdfs/{sku}.pdf');
  return typed;
}

function toBodyMode(typed: string): BodyMode {
  const mode = BODY_MODES.find((one) => one === typed);
  if (mode === undefined) throw new InvalidValue(`must be one of ${BODY_MODES.join(', ')}`);
  return mode;
}
