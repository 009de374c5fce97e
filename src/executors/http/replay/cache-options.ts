import { choice, path } from '../../../core/options/declare.ts';

const CACHE_MODES = ['auto', 'record', 'replay', 'refresh'] as const;

/** Options of an HTTP stage for its cache. */
export const cacheOptions = {
  /** Folder of a cache. */
  cache: path('keep responses in this folder for as long as HTTP allows', {
    placeholder: 'DIR',
    details:
      'A private cache (RFC 9111) that several runs may share. Stale responses are revalidated. Delete the folder to empty it.',
  }),
  /** Way in which the cache is used. Default `auto`. */
  cacheMode: choice('way to use --cache', CACHE_MODES, {
    default: 'auto',
    details:
      'auto is a cache by RFC 9111. record keeps every answer, whatever its headers say, and asks the server only for what is not recorded, or was answered with 408, 425, 429 or 5xx. refresh asks for everything again. replay never touches the network: what is not recorded fails with NOT_RECORDED, and nothing is retried. An answer belongs to its method, url, body and credentials.',
  }),
};
