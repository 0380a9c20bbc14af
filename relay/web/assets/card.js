// A message as an element. Messages never change, so neither do cards; only
// their bodies open and close.

import { el, setHTML } from './dom.js';
import { text, withToken } from './http.js';
import { colourLater } from './code.js';
import { format } from './route.js';

const TALLEST = 520; // pixels of a body that is not collapsed; a collapsed one is cut well below
const VERDICTS = { approve: 'Approved', request_changes: 'Changes requested', comment: 'Comment' };
const SEVERITIES = { blocker: 'blockers', major: 'major', minor: 'minor', nit: 'nits' };

const opened = new Map(); // :: message id → whether the reader opened or closed it

// forget is for another log, where the same ids are other messages.
export const forget = () => opened.clear();

// A review is what one came to read: it starts open.
const isOpen = ({ id, kind }) => opened.get(id) ?? kind === 'review';

// card makes the element of a message. settle must be called once it is in the
// document.
export function card(message) {
  const head = `m${message.id}-head`;
  const body = el('div', { className: 'body', id: `m${message.id}-body` });
  setHTML(body, message.html);
  reachable(body);
  colourLater(body);
  const node = el('article', {
    className: classes(message), id: `m${message.id}`, tabIndex: -1, 'aria-labelledby': head,
  }, header(message, head), el('div', { className: 'clip' }, body), remainder(message), toggle(message, body));
  node.relay = message;
  return node;
}

function classes({ kind, meta }) {
  const verdict = VERDICTS[meta?.verdict] && kind === 'review' ? ` verdict-${meta.verdict}` : '';
  return `card kind-${kind || 'plain'}${verdict}`;
}

function header(message, id) {
  const { sender, target, kind, meta, reply_to: reply } = message;
  const badges = [];
  if (kind) badges.push(el('span', { className: 'badge kind' }, kind));
  if (kind === 'review' && VERDICTS[meta?.verdict]) {
    badges.push(el('span', { className: 'badge verdict' }, VERDICTS[meta.verdict]), ...findings(meta.findings));
  }
  if (reply) {
    badges.push(el('a', { className: 'reply', href: format(target, reply), 'aria-label': `in reply to message ${reply}` }, `↩ #${reply}`));
  }
  return el('header', { id },
    el('span', { className: `who tone-${tone(sender)}` }, sender), ...badges, el('span', { className: 'gap' }),
    time(message.ts),
    el('a', { className: 'number', href: format(target, message.id), title: 'Link to this message' }, `#${message.id}`));
}

// findings counts them by severity, the worst first.
function findings(list) {
  if (!Array.isArray(list)) return [];
  return Object.entries(SEVERITIES).flatMap(([severity, plural]) => {
    const n = list.filter((f) => f?.severity === severity).length;
    const word = n === 1 ? severity : plural;
    return n ? [el('span', { className: `badge finding ${severity}` }, `${n} ${word}`)] : [];
  });
}

function tone(sender) {
  let sum = 0;
  for (const c of sender) sum = (sum * 31 + c.codePointAt(0)) % 997;
  return sum % 6;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'full', timeStyle: 'medium' });

function time(ts) {
  const at = new Date(ts * 1000);
  const today = at.toDateString() === new Date().toDateString();
  const text = today ? clock.format(at) : `${day.format(at)}, ${clock.format(at)}`;
  return el('time', { dateTime: at.toISOString(), title: full.format(at) }, text);
}

function remainder({ id, truncated, text_bytes: bytes }) {
  if (!truncated) return null;
  const whole = el('a', { href: `/ui/text/${id}`, target: '_blank' }, 'Read all of it');
  whole.addEventListener('click', (e) => {
    if (!withToken().Authorization) return;
    e.preventDefault(); // a link carries no token
    openText(whole);
  });
  return el('p', { className: 'cut' }, `This is the beginning of ${Math.round(bytes / 1024)} KB. `, whole);
}

async function openText(link) {
  try {
    const page = URL.createObjectURL(new Blob([await text(link.pathname)], { type: 'text/plain;charset=utf-8' }));
    window.open(page, '_blank');
    setTimeout(() => URL.revokeObjectURL(page), 60_000);
  } catch (err) {
    link.textContent = `Not loaded: ${err.message}. Try again`;
  }
}

function toggle({ id }, body) {
  const button = el('button', { className: 'more', type: 'button', hidden: true, 'aria-controls': body.id });
  button.addEventListener('click', () => {
    const node = button.closest('.card');
    opened.set(id, node.classList.contains('closed'));
    settle([node]);
    node.dispatchEvent(new CustomEvent('toggled', { bubbles: true }));
  });
  return button;
}

// settle closes or opens the bodies of cards by their heights. It reads all
// before it writes any, so that many cards cost one layout.
export function settle(cards) {
  const long = cards.map((node) => node.querySelector('.body').offsetHeight > TALLEST);
  cards.forEach((node, i) => {
    const open = isOpen(node.relay);
    const button = node.querySelector('.more');
    node.classList.toggle('closed', long[i] && !open);
    button.hidden = !long[i];
    button.textContent = open ? 'Show less' : 'Show more';
    button.setAttribute('aria-expanded', String(open));
  });
}

// reachable lets the keyboard scroll what is wider than the screen.
function reachable(body) {
  for (const table of body.querySelectorAll('table')) {
    const wrap = el('div', { className: 'wide', tabIndex: 0, role: 'region', 'aria-label': 'Table' });
    table.replaceWith(wrap);
    wrap.append(table);
  }
}
