/** Error of the validator of Fastify. */
interface Invalid {
  readonly keyword: string;
  /** Path of the value, such as `/limit`. */
  readonly instancePath: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly message?: string | undefined;
}

const TYPES: Readonly<Record<string, string>> = {
  integer: 'a whole number',
  number: 'a number',
  boolean: 'true or false',
  string: 'a text, given once',
};

/** Returns the message for a query without a parameter. */
export function missing(name: string): string {
  return `the query has no ${name}; ${sendIt(name)}`;
}

/** Returns the message for an invalid parameter of a query: what to send instead. */
export function wordsOf({ keyword, instancePath, params, message = 'is not valid' }: Invalid): string {
  const name = instancePath.slice(1);
  switch (keyword) {
    case 'required':
      return missing(String(params.missingProperty));
    case 'type':
      return `${name} must be ${TYPES[String(params.type)] ?? params.type}`;
    case 'minLength':
      return `${name} is empty; ${sendIt(name)}`;
    case 'maxLength':
      return `${name} must have at most ${params.limit} characters`;
    case 'minimum':
      return `${name} must be at least ${params.limit}`;
    case 'maximum':
      return `${name} must be at most ${params.limit}`;
    default:
      return `${name} ${message}`.trim();
  }
}

function sendIt(name: string): string {
  return `send ?${name}=${name === 'task_id' ? 'ID' : '…'}`;
}
