// A saga: a sign-up creates a user, charges a card and sends a mail. If one of these fails finally, the steps before it
// are undone. A failed charge is tried three times.
//
//     task-load signups.csv | task-exec --flow examples/signup.js --flow-log signups.log | task-save done.csv
//
// The attributes of a task: api (the address of the service), email, card.
import { linear, times } from 'taskpipe/flow';

/** Calls the service. By the key, the service recognizes a call that is repeated after a crash. */
async function call(method, path, body, { store, atom, signal }) {
  const response = await fetch(`${store.api}${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { 'content-type': 'application/json', 'idempotency-key': `${store.uuid}/${atom}` },
    signal,
  });
  const answer = await response.json();
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error ?? `status ${response.status}`), {
    code: `HTTP_${response.status}`,
  });
}

const createUser = {
  name: 'createUser',
  requires: ['email'],
  provides: new Set(['user']),
  execute: ({ email }, context) => call('POST', '/users', { email }, context),
  // `result` is undefined if `execute` failed: then there is nothing to undo.
  revert: (_, { result }, context) => result && call('DELETE', `/users/${result.user}`, {}, context),
};

const chargeCard = {
  name: 'chargeCard',
  requires: ['user', 'card'],
  provides: new Set(['charge']),
  execute: ({ user, card }, context) => call('POST', '/charges', { user, card }, context),
  revert: (_, { result }, context) => result && call('DELETE', `/charges/${result.charge}`, {}, context),
};

const sendMail = {
  name: 'sendMail',
  requires: ['email', 'charge'],
  execute: ({ email, charge }, context) => call('POST', '/mails', { email, charge }, context),
};

const payment = linear('payment', { retry: times(3, { revertAll: true }) }).add(chargeCard);

export default linear('signup').add(createUser, payment, sendMail);
