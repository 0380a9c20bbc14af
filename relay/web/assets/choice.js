// A drop-down that learns new names and also takes one that is typed.

import { byId, el } from './dom.js';

const OTHER = '\u0000other'; // no channel and no sender can be called this

export class Choice {
  #select;
  #input;
  #names = new Set();
  #waiting = []; // names that came while the drop-down was in use
  #fixed = false; // no other names than there are

  // id names the select; the input beside it is id + "-other".
  constructor(id, other) {
    this.#select = byId(id);
    this.#input = byId(`${id}-other`);
    this.#select.append(el('option', { value: OTHER }, other));
    this.#select.addEventListener('change', () => this.#changed());
    this.#select.addEventListener('blur', () => this.add(...this.#waiting.splice(0)));
    this.#input.addEventListener('keydown', (e) => {
      if (e.key === 'Escape') this.value = [...this.#names][0] ?? '';
    });
  }

  #changed() {
    const typing = this.#select.value === OTHER;
    this.#input.hidden = !typing;
    if (typing) this.#input.focus();
    this.#select.dispatchEvent(new CustomEvent('chosen', { bubbles: true }));
  }

  // add makes names choosable. An open drop-down is left alone until later.
  add(...names) {
    for (const name of names) {
      if (!name || this.#fixed || this.#names.has(name)) continue;
      if (document.activeElement === this.#select) {
        this.#waiting.push(name);
        continue;
      }
      this.#names.add(name);
      this.#select.insertBefore(el('option', { value: name }, name), this.#select.lastElementChild);
    }
  }

  // only leaves these names, for good.
  only(names) {
    const chosen = this.value;
    this.#waiting = [];
    this.#names = new Set(names);
    this.#select.replaceChildren(...names.map((name) => el('option', { value: name }, name)));
    this.#input.hidden = true;
    this.#fixed = true;
    this.value = chosen;
  }

  get value() {
    return (this.#select.value === OTHER ? this.#input.value : this.#select.value).trim();
  }

  set value(name) {
    if (!name || (this.#fixed && !this.#names.has(name))) return;
    if (!this.#names.has(name)) {
      this.#names.add(name);
      this.#select.insertBefore(el('option', { value: name }, name), this.#select.lastElementChild);
    }
    this.#select.value = name;
    this.#input.hidden = true;
    this.#input.value = '';
  }
}
