import { value, values } from '../../../core/options/declare.ts';
import { compileTemplate } from '../../../core/record/template.ts';
import { compileField } from './form-fields.ts';

/** Options of `--http` that have a body. */
export const bodyOptions = {
  /** Body of all requests: text with attributes, or `@FILE` with such a text. */
  data: value(
    'body: text with attributes, such as {"q":"{name}"}; @FILE reads the text from a file',
    'TEXT|@FILE',
    String,
    {
      details:
        'It is sent with any method, by default POST, in place of the attributes "json" and "data". The type is that of the Content-Type header, else JSON, XML, a form such as a={a}&b={b}, or text, as the text itself shows. Values are escaped for that type. In JSON, "{name}" is a string, and {count} without quotes a value: a number, true, an object, or a string if it is none of these. Only a name right after a brace is an attribute; {{name}} is {name} itself.',
    },
  ),
  /** Fields of a form, as `curl --form` has them. */
  form: values(
    'field of a multipart form: title={title}, or file=@{path};type=image/png; may be repeated',
    'NAME=TEXT|NAME=@FILE',
    toField,
    {
      details:
        'As curl --form: @FILE sends a file, <FILE the text of a file, and ;type= and ;filename= may follow. The type of a file is that of its ending. Values of a record never change what a field is: one that begins with @ is text. Files are read while they are sent.',
    },
  ),
  /** Path of the file that is the body, such as `photos/{id}.jpg`. */
  bodyFile: value('send this file as the body, such as photos/{id}.jpg', 'FILE', toPath, {
    details:
      'It is read while it is sent, by default with POST. The type is that of its ending, unless a header says another. A value at the start of the path is taken as it is; a later one must not have the step "..". A file that cannot be read, or that changes while it is sent, makes the task fail with BODY_FILE.',
  }),
};

function toField(typed: string): string {
  compileField(typed);
  return typed;
}

function toPath(typed: string): string {
  compileTemplate(typed);
  return typed;
}
