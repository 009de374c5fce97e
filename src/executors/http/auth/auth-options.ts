import { choice, path, value } from '../../../core/options/declare.ts';
import { InvalidValue } from '../../../core/options/option.ts';

/** Options for logins and certificates. */
export const authOptions = {
  /** Way to log in with the secret of `authFile`, or of `TASK_AUTH_SECRET` in `env`. */
  auth: choice(
    'log in this way: the secret is in --auth-file, or in TASK_AUTH_SECRET',
    ['basic', 'digest', 'bearer'] as const,
    {
      details:
        'The secret is user:password, or the token. It goes to the origin of the url of each task, and never to that of a redirect; --logins names the hosts. With --netrc, basic and digest choose how its accounts are used. digest sends a request with a body only when it knows the challenge of the server.',
    },
  ),
  /** File with the secret of `auth`. */
  authFile: path('file with user:password, or the token, for --auth', {
    details: 'Only you must be able to read it (chmod 600).',
  }),
  /** File of accounts by host, in the format of netrc. */
  netrc: path('accounts by host, in the format of ~/.netrc', {
    details:
      'Only you must be able to read it (chmod 600). The first entry of a host counts; for a url with a user, such as https://me@host/, that of this user. The entry "default" is not used after a redirect to another origin; others are, over https.',
  }),
  /** JSON file of logins by host. */
  logins: path('logins by host: a JSON object such as {"api.example.com": {"token": "…"}}', {
    details:
      'An entry has "token", or "user" and "password", with "auth": "digest" for Digest. A name is host, host:port or https://host:port. Only you must be able to read the file (chmod 600). After a redirect to another origin, entries are used over https.',
  }),
  /** JSON file of an OAuth 2 client. */
  oauth2: path('log in with OAuth 2 tokens, which are renewed: a JSON file with token_url, client_id, …', {
    details:
      'The file has "token_url", "client_id", and "client_secret" or "refresh_token"; "client_auth": "post" sends the secret in the form. Other members, such as "scope" and "audience", are sent too. A token is renewed before its end and once after a 401. A new refresh token replaces the old one in the file, unless that is a pipe; processes that share it take turns. A refusal of the token endpoint ends the run; if it is not available, the tasks pause, are retried, and fail as TOKEN. Only you must be able to read the file (chmod 600).',
  }),
  /** Region and service of AWS, such as `eu-west-1:s3`. Credentials are `AWS_ACCESS_KEY_ID` and the like in `env`. */
  awsSigv4: value('sign requests for AWS, as in eu-west-1:s3', 'REGION:SERVICE', toScope, {
    details:
      'Signature Version 4. The credentials are AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, else those of the profile AWS_PROFILE in ~/.aws/credentials (AWS_SHARED_CREDENTIALS_FILE).',
  }),
  /** PEM file of a client certificate. */
  cert: path('client certificate, in PEM format', {
    details:
      'It is shown to the origins of the urls of tasks, and not after a redirect to another origin, to proxies, or to the token endpoint of --oauth2. TASK_KEY_PASSPHRASE decrypts its key.',
  }),
  /** PEM file of the key of `cert`. Default: it is in the same file. */
  key: path('private key of --cert; default: in the same file', {
    details: 'Only you must be able to read it (chmod 600).',
  }),
  /** PEM file of authorities to trust. Default: `SSL_CERT_FILE` in `env`, else those of Node. */
  cacert: path('trust only the authorities in this PEM file; default: SSL_CERT_FILE, else those of Node'),
};

function toScope(typed: string): string {
  const scope = typed.replace(/^aws:amz:/, '');
  if (!/^[\w-]+:[\w-]+$/.test(scope)) throw new InvalidValue('must be REGION:SERVICE, as in eu-west-1:s3');
  return scope;
}
