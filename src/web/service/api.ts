import type { News } from './contract.ts';

/** Path of the service. */
export const endpoint: string = document.documentElement.dataset.endpoint ?? '';

interface Envelope<T> {
  readonly status: 'ok' | 'error';
  readonly data: T;
  readonly error_msg: string;
}

const KEY = 'task-serve-token';

/** Returns the headers of a request. The user is asked for the token when it is needed; it is kept while the tab is open. */
function headers(): Record<string, string> {
  const token = sessionStorage.getItem(KEY);
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

function askToken(): boolean {
  const token = prompt('The token of this service (task-serve --token):');
  if (token === null || token === '') return false;
  sessionStorage.setItem(KEY, token);
  return true;
}

/** Sends a request; asks for the token if one is needed. */
async function ask(path: string, method = 'GET'): Promise<Response> {
  const response = await fetch(path, { method, headers: headers() });
  if (response.status !== 401 || !askToken()) return response;
  return fetch(path, { method, headers: headers() });
}

/** Returns the data of an answer. @throws {Error} with the message of the service */
export async function call<T>(path: string, method?: string): Promise<T> {
  const response = await ask(endpoint + path, method);
  const { status, data, error_msg } = (await response.json()) as Envelope<T>;
  if (status !== 'ok') throw new Error(error_msg);
  return data;
}

/** Returns the text of an answer, so that numbers keep all digits. */
export async function textOf(path: string): Promise<string> {
  const response = await ask(endpoint + path);
  return response.text();
}

/** Listens for changes; `EventSource` cannot send a token. */
export async function listen(take: (news: News) => void, isUp: (up: boolean) => void): Promise<never> {
  for (;;) {
    try {
      const response = await ask(`${endpoint}/events`);
      if (!response.ok || response.body === null) throw new Error(response.statusText);
      isUp(true);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let text = '';
      for (let next = await reader.read(); !next.done; next = await reader.read()) {
        text += next.value;
        const messages = text.split('\n\n');
        text = messages.pop() ?? '';
        for (const message of messages) if (message.startsWith('data: ')) take(JSON.parse(message.slice(6)));
      }
    } catch {
      // the loop tries again
    }
    isUp(false);
    await new Promise((resolve) => setTimeout(resolve, 2000));
  }
}
