import { count, type Option, path } from '../../core/option.ts';

type ModuleOptionTable = {
  readonly threads: Option<number | undefined>;
  readonly logDir: Option<string | undefined>;
  readonly spool: Option<string | undefined>;
  readonly ledger: Option<string | undefined>;
};

/** Options of `--module` alone. */
export const moduleOptions: ModuleOptionTable = {
  threads: count('run the module on N worker threads; default: on the main thread'),
  logDir: path('what a task logs goes to DIR/UUID.log', { placeholder: 'DIR' }),
  spool: path('keep the tasks that the work adds in this file, and do those that another run has left'),
  ledger: path('leave out tasks that the work adds, or the spool has, and that are finished by this ledger'),
};
