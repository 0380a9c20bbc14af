// The list of channels. Entries are added where they belong and never rebuilt.

import { byId, el, recall, remember } from './dom.js';
import { format } from './route.js';

export class Channels {
  #list = byId('channels');
  #items = new Map(); // :: name → {link, mark, last}
  #log = '';
  #seen = null; // :: name → id of the last message that was shown, for this log
  current = '';

  get names() {
    return [...this.#items.keys()];
  }

  // newest is the channel that was written to last, or the first one.
  get newest() {
    let best = null;
    for (const [name, { last }] of this.#items) {
      if (!best || last > best.last) best = { name, last };
    }
    return best?.name ?? '';
  }

  // update takes the answer of GET /api/channels?details=1.
  update({ details, log_id: log }) {
    if (log !== this.#log) this.#open(log, details);
    for (const { name, last_id: last } of details) this.bump(name, last);
  }

  // A first visit finds nothing unread; another log starts from nothing.
  #open(log, details) {
    this.#log = log;
    this.#list.replaceChildren();
    this.#items.clear();
    this.#seen = this.#stored() ?? Object.fromEntries(details.map((c) => [c.name, c.last_id]));
    this.#store();
    if (this.current) this.select(this.current);
  }

  #stored() {
    try {
      const { log, seen } = JSON.parse(recall('seen'));
      return log === this.#log ? seen : null;
    } catch {
      return null;
    }
  }

  #store() {
    remember('seen', JSON.stringify({ log: this.#log, seen: this.#seen }));
  }

  // bump notes that a channel has a message with this id.
  bump(name, last) {
    const item = this.#item(name);
    item.last = Math.max(item.last, last);
    this.#mark(name, item);
  }

  // saw notes that the reader has been shown a channel up to this id.
  saw(name, id) {
    if (!this.#seen) return;
    // Another tab may have been further in other channels.
    this.#seen = { ...this.#seen, ...this.#stored() };
    if ((this.#seen[name] ?? 0) >= id) return this.#mark(name, this.#item(name));
    this.#seen[name] = id;
    this.#store();
    this.bump(name, id);
  }

  #mark(name, { link, mark, last }) {
    const unread = name !== this.current && last > (this.#seen?.[name] ?? 0);
    link.classList.toggle('unread', unread);
    mark.textContent = unread ? 'new messages' : '';
  }

  select(name) {
    const was = this.#items.get(this.current);
    was?.link.removeAttribute('aria-current');
    this.current = name;
    const item = this.#item(name);
    item.link.setAttribute('aria-current', 'page');
    item.link.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    this.#mark(name, item);
  }

  #item(name) {
    const known = this.#items.get(name);
    if (known) return known;
    const mark = el('span', { className: 'hidden-text' });
    const link = el('a', { href: format(name), title: name }, el('span', { className: 'name' }, name), ' ', mark);
    const item = { link, mark, last: 0 };
    const after = this.names.filter((other) => other > name).sort()[0];
    this.#items.set(name, item);
    this.#list.insertBefore(el('li', {}, link), this.#items.get(after)?.link.parentElement ?? null);
    return item;
  }
}
