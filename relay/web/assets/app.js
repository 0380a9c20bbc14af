// The page: connects the address, the stream, the channels, the messages and
// the form.

import { byId, recall, remember } from './dom.js';
import { access, Denied, request } from './http.js';
import { format, parse } from './route.js';
import { forget } from './card.js';
import { Channels } from './channels.js';
import { Compose } from './compose.js';
import { Feed } from './feed.js';
import { Live } from './live.js';
import { Login } from './login.js';

const STATES = { connecting: 'Connecting', live: 'Live', lost: 'Connection lost', denied: 'Not logged in' };

const channels = new Channels();
const compose = new Compose();
const feed = new Feed();
const live = new Live();
const login = new Login();
let known = false; // whether the relay has said what the token allows

// begin finds out who is reading before anything else is asked for.
async function begin() {
  try {
    await identify();
  } catch (err) {
    if (err instanceof Denied) return; // the form to log in is there
  }
  live.start();
}

async function identify() {
  const me = await request('/api/whoami');
  known = true;
  login.show(me);
  compose.limit(me);
}

async function loadChannels() {
  try {
    channels.update(await request('/api/channels?details=1'));
  } catch {
    return; // the stream says when to try again
  }
  compose.target.add(...channels.names);
  if (!feed.channel) enter();
}

// enter opens what the address says, or the channel of the last visit.
function enter() {
  const route = parse(location.hash);
  if (route) return go(route);
  const last = recall('channel');
  const channel = channels.names.includes(last) ? last : channels.newest;
  if (!channel) return feed.idle('There are no channels yet. The first message makes one.');
  history.replaceState(null, '', format(channel));
  go({ channel, id: 0 });
}

function go({ channel, id }) {
  document.title = `${channel} · relay`;
  remember('channel', channel);
  channels.select(channel);
  compose.target.value = channel;
  if (channel === feed.channel && !id) feed.toNewest();
  else feed.open(channel, id);
}

function showState() {
  byId('state').dataset.state = live.state;
  byId('state-text').textContent = STATES[live.state];
  byId('lost').hidden = live.state !== 'lost';
  if (live.state === 'denied') login.ask();
}

addEventListener('hashchange', () => {
  const route = parse(location.hash);
  if (route) go(route);
});

live.addEventListener('state', showState);
access.addEventListener('denied', () => live.deny());
live.addEventListener('fresh', () => {
  if (!known) identify().catch(() => {}); // it is asked for again with the next stream
  loadChannels();
  feed.refresh();
});
live.addEventListener('message', ({ detail: { id, target, sender } }) => {
  channels.bump(target, id);
  compose.target.add(target);
  compose.sender.add(sender);
  if (!feed.channel) enter();
  else if (target === feed.channel) feed.refresh();
});

feed.addEventListener('sender', ({ detail }) => compose.sender.add(detail));
feed.addEventListener('seen', ({ detail: { channel, id } }) => channels.saw(channel, id));
feed.addEventListener('reset', () => {
  forget();
  feed.open(feed.channel);
  loadChannels();
});

compose.addEventListener('posted', ({ detail: { target, id } }) => {
  channels.bump(target, id);
  if (target !== feed.channel) return;
  feed.toNewest();
  feed.refresh();
});

byId('retry').addEventListener('click', () => live.retry());
byId('skip').addEventListener('click', () => byId('scroll').focus());
byId('mcp-address').textContent = `${location.origin}/mcp`;
byId('api-address').textContent = `${location.origin}/api/messages`;

const theme = byId('theme');
const dark = matchMedia('(prefers-color-scheme: dark)');
const isDark = () => (document.documentElement.dataset.theme ?? (dark.matches ? 'dark' : 'light')) === 'dark';
const showTheme = () => theme.setAttribute('aria-pressed', String(isDark()));

theme.addEventListener('click', () => {
  document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
  remember('theme', document.documentElement.dataset.theme);
  showTheme();
});
dark.addEventListener('change', showTheme);
addEventListener('storage', ({ key, newValue }) => {
  if (key !== 'relay-theme' || !newValue) return;
  document.documentElement.dataset.theme = newValue;
  showTheme();
});

showTheme();
showState();
begin();
