/** Values of variables, or of a section of a profile, by name. */
export type AwsValues = Readonly<Record<string, string | undefined>>;

/** Credentials of AWS. */
export interface AwsCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** Command that sets the variables, for kinds of profiles that only AWS's own tools can use. */
export const AWS_ADVICE = 'set them, as in eval "$(aws configure export-credentials --format env)"';

/** Returns the credentials in variables, or in a profile, which has the same names in small letters. */
export function credentialsIn(values: AwsValues): AwsCredentials | undefined {
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = values;
  if (!accessKeyId || !secretAccessKey) return undefined;
  return { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) };
}

/**
 * Returns the values in a section of a file of AWS, by names in capital letters. Later ones count; indented lines belong
 * to another value.
 */
export function sectionOf(text: string, section: string): AwsValues {
  const values: Record<string, string> = Object.create(null);
  let isOurs = false;
  for (const line of text.replace(/^\ufeff/, '').split(/\r?\n/)) {
    const [, found] = /^\[([^\]]*)\]/.exec(line) ?? [];
    if (found !== undefined) isOurs = found.trim() === section;
    const [, name, value] = /^(\w+)[ \t]*=[ \t]*(\S+)/.exec(line) ?? [];
    if (isOurs && name !== undefined && value !== undefined) values[name.toUpperCase()] = value;
  }
  return values;
}
