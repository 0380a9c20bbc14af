// The relay's JSON over fetch.

// Unreachable is the error of a request that got no answer at all.
export class Unreachable extends Error {}

// request returns the parsed answer, or throws an Error with the relay's own
// text. An aborted request throws the signal's reason.
export async function request(path, { signal, body } = {}) {
  const init = { signal, cache: 'no-store' };
  if (body !== undefined) {
    init.method = 'POST';
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  let response, text;
  try {
    response = await fetch(path, init);
    text = await response.text();
  } catch (err) {
    if (signal?.aborted) throw err;
    throw new Unreachable('the relay does not answer');
  }
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Error(`the relay answered ${response.status} without JSON`);
  }
  if (!response.ok) throw new Error(answer.error || `the relay answered ${response.status}`);
  return answer;
}
