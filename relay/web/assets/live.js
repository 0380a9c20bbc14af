// One stream of all channels for all tabs of a browser.
//
// Browsers open six connections to a host, and every stream takes one for as
// long as it lives. So the tabs that can be seen queue for a lock, the one that
// holds it reads the stream and tells the others, and a tab that is hidden
// leaves the queue. The stream carries no state: after each gap, every tab asks
// for what is newer than what it has.

import { withToken } from './http.js';
import { parser } from './sse.js';

const LOCK = 'relay-stream';
const SILENCE = 45_000; // three heartbeats of the relay
const FIRST_DELAY = 250;
const LAST_DELAY = 4_000;

export class Live extends EventTarget {
  // state is "connecting" until the first contact, then "live" or "lost", or
  // "denied" when the relay wants a token.
  state = 'connecting';
  #bus = new BroadcastChannel('relay-live');
  #turn = null; // AbortController of this tab's place in the queue
  #leading = false;
  #wake = () => {};

  // Events: "state"; "fresh" when messages may have been missed, with detail
  // {log_id} when that is known; "message" with detail {id, target, sender}.
  start() {
    this.#bus.onmessage = ({ data }) => this.#heard(data);
    document.addEventListener('visibilitychange', () => this.#visible());
    addEventListener('online', () => this.retry());
    this.#visible();
  }

  // deny says that the relay wants a token.
  deny() {
    this.#heard({ type: 'state', state: 'denied' });
  }

  // retry ends the pause before the next attempt, in whichever tab it is.
  retry() {
    this.#wake();
    this.#bus.postMessage({ type: 'retry' });
  }

  #visible() {
    if (document.hidden) {
      this.#turn?.abort();
      this.#turn = null;
      return;
    }
    if (this.#turn) return;
    this.#turn = new AbortController();
    this.#queue(this.#turn.signal);
    this.#bus.postMessage({ type: 'ask' });
    this.#emit('fresh');
  }

  async #queue(signal) {
    // Only secure contexts have locks, and plain http on another host than this
    // one is none: there each visible tab reads its own stream.
    if (!navigator.locks) return this.#lead(signal);
    try {
      await navigator.locks.request(LOCK, { signal }, () => this.#lead(signal));
    } catch (err) {
      if (!signal.aborted) throw err;
    }
  }

  async #lead(signal) {
    this.#leading = true;
    let delay = FIRST_DELAY;
    while (!signal.aborted) {
      const since = performance.now();
      const greeted = await this.#read(signal);
      if (signal.aborted) break;
      if (this.state === 'denied') break; // logging in begins the page anew
      // A stream that worked and ended is tried again before anyone is told.
      if (greeted) delay = FIRST_DELAY;
      else this.#say({ type: 'state', state: 'lost' });
      if (!greeted || performance.now() - since < 1_000) await this.#pause(delay, signal);
      delay = Math.min(delay * 2, LAST_DELAY);
    }
    this.#leading = false;
  }

  // read follows one stream to its end and reports whether it ever began.
  async #read(signal) {
    const silence = new AbortController();
    let timer, greeted = false;
    const heard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => silence.abort(), SILENCE);
    };
    heard();
    try {
      const response = await fetch('/api/stream', {
        headers: withToken({ Accept: 'text/event-stream' }),
        cache: 'no-store',
        signal: AbortSignal.any([signal, silence.signal]),
      });
      if (response.status === 401) this.#say({ type: 'state', state: 'denied' });
      if (!response.ok) return false;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      const feed = parser((event) => {
        greeted = true;
        this.#arrived(event);
      });
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return greeted;
        heard();
        feed(value);
      }
    } catch {
      return greeted;
    } finally {
      clearTimeout(timer);
    }
  }

  #arrived({ event, data }) {
    if (event !== 'hello' && event !== 'message') return;
    const detail = JSON.parse(data);
    if (event === 'hello') {
      this.#say({ type: 'state', state: 'live' });
      this.#say({ type: 'fresh', detail: { log_id: detail.log_id } });
      return;
    }
    // The text stays here: it may be long, and every tab asks for the HTML.
    const { id, target, sender } = detail;
    this.#say({ type: 'message', detail: { id, target, sender } });
  }

  #pause(delay, signal) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, delay);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
      signal.addEventListener('abort', this.#wake, { once: true });
    });
  }

  #say(data) {
    this.#bus.postMessage(data);
    this.#heard(data);
  }

  #heard({ type, state, detail }) {
    if (type === 'ask' && this.#leading) this.#bus.postMessage({ type: 'state', state: this.state });
    if (type === 'retry') this.#wake();
    if (type === 'fresh' || type === 'message') this.#emit(type, detail);
    if (type === 'state' && state !== this.state) {
      this.state = state;
      this.#emit('state');
    }
  }

  #emit(type, detail = {}) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
