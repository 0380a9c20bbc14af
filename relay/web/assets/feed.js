// The messages of one channel: a window of cards that grows at both ends.

import { byId, el } from './dom.js';
import { request } from './http.js';
import { card, settle } from './card.js';

const BATCH = 30;
const MOST = 400; // cards; past them the oldest go while the newest are followed
const NEAR = 40; // pixels from the bottom that still count as the bottom
const AHEAD = 800; // pixels from an end at which the next batch is asked for
const MOST_BATCHES = 5; // to catch up with; past them it starts anew at the newest

export class Feed extends EventTarget {
  channel = '';
  #scroll = byId('scroll');
  #list = byId('feed');
  #edge = byId('edge');
  #notice = byId('notice');
  #jump = byId('jump');
  #epoch = new AbortController(); // ends when another channel is opened
  #log = '';
  #first = 0; // lowest id shown, 0 when there is none
  #last = 0; // cursor: everything up to it has been shown
  #older = false; // whether there is more above
  #head = false; // whether the newest message is shown
  #busy = { older: false, newer: false, again: false };
  #following = true;
  #top = 0; // scroll position at the last event
  #unseen = 0;
  #missing = 0; // the id that was asked for and is not here
  #failure = null; // does again what failed

  // Events: "sender" with a sender's name; "seen" with {log, channel, id} when
  // the newest message has been shown; "reset" when the log is another one.
  constructor() {
    super();
    this.#scroll.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    this.#jump.addEventListener('click', () => {
      // The button goes away: the keyboard stays with the messages.
      this.#scroll.focus({ preventScroll: true });
      this.toNewest();
    });
    this.#list.addEventListener('toggled', (e) => this.#toggled(e.target));
    this.#list.addEventListener('keydown', (e) => this.#step(e));
    let width = 0;
    new ResizeObserver(([entry]) => {
      if (entry.contentRect.width !== width) {
        width = entry.contentRect.width;
        settle([...this.#list.children]);
      }
      this.#pin();
    }).observe(this.#list);
    new ResizeObserver(() => this.#pin()).observe(this.#scroll);
  }

  // open shows a channel from its newest message, or around one of its ids.
  async open(channel, id = 0) {
    if (channel === this.channel && id && byId(`m${id}`)) return this.#show(id);
    this.#epoch.abort();
    this.#epoch = new AbortController();
    const { signal } = this.#epoch;
    this.#clear(channel, !id);
    try {
      const page = await this.#get({ limit: BATCH, ...(id && { before_id: id + 1 }) }, signal);
      this.#log = page.log_id;
      this.#older = page.messages.length === BATCH;
      this.#head = !id;
      this.#insert(page.messages, null);
      // What is newer than an empty page is newer than nothing.
      this.#last = page.messages.at(-1)?.id ?? 0;
      this.#reached(page);
      if (id) await this.#around(id);
    } catch (err) {
      this.#failed(err, signal, () => this.open(channel, id));
      return;
    }
    if (this.#busy.again) this.refresh();
    this.#fill();
  }

  async #around(id) {
    await this.#loadNewer();
    if (byId(`m${id}`)) this.#show(id);
    else this.#miss(id);
  }

  #miss(id) {
    this.#missing = id;
    this.#say(`Message #${id} is not in this channel.`);
  }

  #clear(channel, following) {
    this.channel = channel;
    this.#missing = 0;
    this.#failure = null;
    this.#list.replaceChildren();
    this.#list.ariaBusy = 'true';
    this.#busy = { older: false, newer: false, again: false };
    this.#first = this.#last = this.#unseen = 0;
    this.#older = this.#head = false;
    this.#following = following;
    this.#edge.hidden = true;
    this.#say('');
    this.#button();
  }

  // idle says why no channel is shown.
  idle(text) {
    this.#list.ariaBusy = 'false';
    this.#say(text);
  }

  // refresh shows what is new, unless the reader is far above it. Calls that
  // come while one is under way become one more.
  refresh() {
    const opening = this.#list.ariaBusy === 'true';
    if (opening || this.#busy.newer) this.#busy.again = true;
    else if (this.#failure) this.#tryAgain();
    else if (this.#head) this.#loadNewer();
  }

  async #loadNewer() {
    const busy = this.#busy;
    if (busy.newer) return;
    busy.newer = true;
    const { signal } = this.#epoch;
    try {
      let behind = 0;
      do {
        busy.again = false;
        await this.#appendBatch(signal);
        behind = this.#head ? 0 : behind + 1;
        if (behind > MOST_BATCHES && this.#following) return this.open(this.channel);
      } while (this.#head ? busy.again : this.#following);
      this.#trim();
    } catch (err) {
      this.#failed(err, signal, () => this.#loadNewer());
    } finally {
      busy.newer = false;
    }
  }

  async #appendBatch(signal) {
    const page = await this.#get({ limit: BATCH, since_id: this.#last }, signal);
    if (page.log_id !== this.#log) {
      this.dispatchEvent(new Event('reset'));
      return;
    }
    this.#head = page.messages.length < BATCH;
    this.#insert(page.messages, null);
    this.#last = page.latest_id;
    this.#reached(page);
  }

  async #loadOlder() {
    const busy = this.#busy;
    if (busy.older || !this.#older || !this.#first) return;
    busy.older = true;
    const { signal } = this.#epoch;
    try {
      const page = await this.#get({ limit: BATCH, before_id: this.#first }, signal);
      this.#older = page.messages.length === BATCH;
      this.#insert(page.messages, this.#list.firstElementChild);
      this.#reached(page);
    } catch (err) {
      this.#failed(err, signal, () => this.#loadOlder());
      return;
    } finally {
      busy.older = false;
    }
    this.#fill();
  }

  async #get(query, signal) {
    const page = await request(`/ui/messages?${new URLSearchParams({ target: this.channel, ...query })}`, { signal });
    signal.throwIfAborted();
    return page;
  }

  // insert puts cards before an element (null is the end) and keeps what is
  // being read where it is.
  #insert(messages, before) {
    if (messages.length === 0) return;
    const anchor = before ?? null;
    const place = anchor?.getBoundingClientRect().top;
    const cards = messages.map(card);
    this.#list.insertBefore(this.#fragment(cards), before);
    settle(cards);
    if (anchor) this.#scroll.scrollTop += anchor.getBoundingClientRect().top - place;
    else if (!this.#following && this.#last) this.#unseen += messages.length;
    this.#first = this.#list.firstElementChild.relay.id;
    for (const { sender } of messages) this.dispatchEvent(new CustomEvent('sender', { detail: sender }));
    this.#pin();
  }

  #fragment(cards) {
    const fragment = document.createDocumentFragment();
    fragment.append(...cards);
    return fragment;
  }

  // reached tells where the window ends now.
  #reached(page) {
    this.#list.ariaBusy = 'false';
    this.#failure = null;
    const empty = this.#list.childElementCount === 0;
    this.#edge.hidden = this.#older || empty;
    this.#edge.textContent = page.oldest_id > 1 ? 'Older messages are no longer kept.' : `This is where ${this.channel} begins.`;
    if (!this.#missing) this.#say(empty ? `Nothing has been said in ${this.channel} yet.` : '');
    if (this.#head) {
      this.dispatchEvent(new CustomEvent('seen', { detail: { log: page.log_id, channel: this.channel, id: this.#last } }));
    }
    this.#button();
  }

  #failed(err, signal, again) {
    if (signal.aborted) return;
    this.#list.ariaBusy = 'false';
    this.#failure = again;
    const button = el('button', { className: 'small', type: 'button' }, 'Try again');
    button.addEventListener('click', () => this.#tryAgain());
    this.#say(`The messages could not be loaded: ${err.message}. `, button);
  }

  #tryAgain() {
    const again = this.#failure;
    this.#failure = null;
    again?.();
  }

  #say(...content) {
    this.#notice.hidden = content[0] === '';
    this.#notice.replaceChildren(...content);
  }

  // fill asks for more while an end is near.
  #fill() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    if (scrollTop < AHEAD) this.#loadOlder();
    if (!this.#head && this.#last && scrollHeight - scrollTop - clientHeight < AHEAD) this.#loadNewer();
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroll;
    const was = this.#top;
    this.#top = scrollTop;
    // An empty list is at its bottom, but nobody went there.
    if (this.#list.ariaBusy === 'true') return;
    // Content that grows moves the bottom away without anyone scrolling up.
    if (scrollHeight - scrollTop - clientHeight <= NEAR) this.#following ||= this.#head;
    else if (scrollTop < was) this.#following = false;
    if (this.#following) this.#unseen = 0;
    this.#button();
    this.#fill();
  }

  #pin() {
    if (this.#following) this.#scroll.scrollTop = this.#scroll.scrollHeight;
  }

  #trim() {
    const extra = this.#list.childElementCount - MOST;
    if (!this.#following || extra < MOST / 4) return;
    for (let i = 0; i < extra; i++) this.#list.firstElementChild.remove();
    this.#first = this.#list.firstElementChild.relay.id;
    this.#older = true;
    this.#edge.hidden = true;
    this.#pin();
  }

  // toNewest goes to the newest message, which may not be loaded yet.
  toNewest() {
    if (!this.#head) return this.open(this.channel);
    this.#following = true;
    this.#unseen = 0;
    this.#pin();
    this.#button();
  }

  #button() {
    this.#jump.hidden = this.#following || this.#list.childElementCount === 0;
    this.#jump.textContent = this.#unseen ? `${this.#unseen} new ↓` : 'Newest ↓';
  }

  #show(id) {
    const node = byId(`m${id}`);
    this.#following = false;
    node.scrollIntoView({ block: 'start' });
    node.focus({ preventScroll: true });
    for (const was of this.#list.querySelectorAll('.shown')) was.classList.remove('shown');
    node.classList.add('shown');
    this.#button();
  }

  #toggled(node) {
    this.#following = false;
    const above = node.getBoundingClientRect().top < this.#scroll.getBoundingClientRect().top;
    if (above) node.scrollIntoView({ block: 'start' });
    this.#scrolled();
  }

  // step moves from message to message with Page Up and Page Down, as in any
  // feed.
  #step(event) {
    const node = event.target;
    if (!node.classList.contains('card')) return;
    const next = { PageDown: node.nextElementSibling, PageUp: node.previousElementSibling }[event.key];
    if (!next) return;
    event.preventDefault();
    next.focus();
  }
}
