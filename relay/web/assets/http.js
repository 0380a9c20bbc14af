// The relay's JSON over fetch, with the token of the page.

import { recall } from './dom.js';

// Unreachable is the error of a request that got no answer at all.
export class Unreachable extends Error {}

// Denied is the error of a request without a token that the relay knows.
export class Denied extends Error {}

// access tells, by the event "denied", that a request was.
export const access = new EventTarget();

// The token is kept by the page and sent in a header. There is no cookie: one
// would go to every other server on this machine too, whatever its port.
export function withToken(headers = {}, token = recall('token')) {
  return token ? { ...headers, Authorization: `Bearer ${token}` } : headers;
}

// request returns the parsed answer, or throws an Error with the relay's own
// text. An aborted request throws the signal's reason. token is tried in place
// of the page's.
export async function request(path, { signal, body, token } = {}) {
  const init = { signal, cache: 'no-store', headers: withToken({}, token) };
  if (body !== undefined) {
    init.method = 'POST';
    init.headers['Content-Type'] = 'application/json';
    init.body = JSON.stringify(body);
  }
  const { response, text } = await exchange(path, init);
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`the relay answered ${response.status} without JSON`);
  }
  if (response.ok) return answer;
  const told = answer.error || `the relay answered ${response.status}`;
  if (response.status !== 401) throw new Error(told);
  if (token === undefined) access.dispatchEvent(new Event('denied'));
  throw new Denied(told);
}

// text returns an answer as it is.
export async function text(path) {
  const { response, text } = await exchange(path, { cache: 'no-store', headers: withToken() });
  if (!response.ok) throw new Error(`the relay answered ${response.status}`);
  return text;
}

async function exchange(path, init) {
  try {
    const response = await fetch(path, init);
    return { response, text: await response.text() };
  } catch (err) {
    if (init.signal?.aborted) throw err;
    throw new Unreachable('the relay does not answer');
  }
}
