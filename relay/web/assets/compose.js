// The form that posts a message.

import { byId, el, recall, remember } from './dom.js';
import { request } from './http.js';
import { format } from './route.js';
import { Choice } from './choice.js';

const SENDERS = ['web-ui', 'user', 'claude', 'codex'];

export class Compose extends EventTarget {
  target = new Choice('target', 'New channel…');
  sender = new Choice('sender', 'Someone else…');
  #form = byId('compose');
  #text = byId('text');
  #send = byId('send');
  #said = byId('said');
  #attempt = null; // {draft, key} of the last post that is not known to have arrived

  // Events: "posted" with the stored message.
  constructor() {
    super();
    this.sender.add(...SENDERS);
    this.sender.value = recall('sender') || SENDERS[0];
    byId('shortcut').textContent = /Mac|iP(hone|ad)/.test(navigator.platform) ? '⌘ ⏎' : 'Ctrl ⏎';
    this.#form.addEventListener('submit', (e) => {
      e.preventDefault();
      this.#post();
    });
    this.#form.addEventListener('keydown', (e) => {
      if (e.key !== 'Enter' || !(e.ctrlKey || e.metaKey) || e.isComposing) return;
      e.preventDefault();
      this.#form.requestSubmit();
    });
  }

  // limit offers only what a token allows; me is the answer of /api/whoami.
  limit({ senders, channels, read_only: readOnly }) {
    if (senders.length > 0) this.sender.only(senders);
    if (channels.length > 0) this.target.only(channels);
    byId('writing').hidden = readOnly;
    byId('readonly').hidden = !readOnly;
  }

  async #post() {
    if (this.#send.disabled) return;
    const draft = { target: this.target.value, sender: this.sender.value, text: this.#text.value };
    if (!draft.target || !draft.sender || !draft.text.trim()) {
      return this.#tell('bad', 'A message needs a channel, a sender and a text.');
    }
    this.#send.disabled = true;
    this.#tell('', 'Sending…');
    try {
      const { posted } = await request('/api/messages', { body: { ...draft, key: this.#key(draft) } });
      this.#attempt = null;
      this.#sent({ ...draft, id: posted });
    } catch (err) {
      this.#tell('bad', `Not sent: ${err.message}.`);
    } finally {
      this.#send.disabled = false;
    }
  }

  // key makes a second try of the same draft safe: when the first one did
  // arrive and only its answer was lost, the relay keeps one message.
  #key(draft) {
    const same = JSON.stringify(draft);
    if (this.#attempt?.draft !== same) {
      const random = crypto.getRandomValues(new Uint32Array(4));
      this.#attempt = { draft: same, key: 'web/' + Array.from(random, (n) => n.toString(36)).join('') };
    }
    return this.#attempt.key;
  }

  #sent(message) {
    this.#text.value = '';
    remember('sender', message.sender);
    this.sender.value = message.sender;
    this.target.value = message.target;
    this.#tell('good', 'Posted ', el('a', { href: format(message.target, message.id) }, `#${message.id}`), ` to ${message.target}.`);
    this.dispatchEvent(new CustomEvent('posted', { detail: message }));
  }

  #tell(mood, ...content) {
    this.#said.className = `said ${mood}`;
    this.#said.replaceChildren(...content);
  }
}
