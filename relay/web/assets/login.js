// Logging in and out. The token is kept in this browser, for this origin alone,
// until one logs out; each change of it begins the page anew, in every tab.

import { byId, forget, recall, remember } from './dom.js';
import { Denied, request } from './http.js';

export class Login {
  #dialog = byId('login');
  #token = byId('token');
  #said = byId('login-said');
  #enter = byId('enter');

  constructor() {
    byId('login-form').addEventListener('submit', (e) => {
      e.preventDefault();
      this.#try(this.#token.value.trim());
    });
    this.#dialog.addEventListener('cancel', (e) => e.preventDefault()); // there is nothing behind it
    byId('logout').addEventListener('click', () => this.#leave());
    addEventListener('storage', ({ key }) => {
      if (key === 'relay-token' || key === null) location.reload();
    });
  }

  // ask wants a token of the reader. It says so when one was kept and is no
  // longer good.
  ask() {
    if (this.#dialog.open) return;
    this.#tell(recall('token') ? 'The relay does not take the token any more.' : '');
    this.#dialog.showModal();
  }

  // show says who is logged in; me is the answer of /api/whoami.
  show({ name }) {
    byId('who').textContent = name;
    byId('account').hidden = !name;
    byId('docs').hidden = Boolean(name); // a link carries no token
  }

  async #try(token) {
    if (!/^[\x21-\x7e]+$/.test(token)) return this.#tell('That is not a token.');
    this.#enter.disabled = true;
    this.#tell('');
    try {
      await request('/api/whoami', { token });
      remember('token', token);
      if (recall('token') !== token) return this.#tell('This browser does not let the page keep the token.');
      location.reload();
    } catch (err) {
      this.#tell(err instanceof Denied ? 'The relay does not know this token.' : `Not logged in: ${err.message}.`);
    } finally {
      this.#enter.disabled = false;
    }
  }

  #leave() {
    forget('token', 'channel', 'sender', 'seen');
    location.reload();
  }

  #tell(text) {
    this.#said.textContent = text;
  }
}
