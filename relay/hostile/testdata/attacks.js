// What a page can try against a server of another origin. Each attack resolves
// to "nothing", or to what it got.
'use strict';

const draft = JSON.stringify({target: 'proj-x', sender: 'claude', text: 'from a foreign page'});

function attacks(relay) {
  const messages = relay + '/api/messages?target=proj-x';
  const read = (url, options) => fetch(url, options).then(
    async (r) => (r.type === 'opaque' ? r.text().then((t) => t || 'nothing') : 'got ' + r.status + ' ' + (await r.text())),
    () => 'nothing');
  const element = (tag, set) => new Promise((done) => {
    const e = document.createElement(tag);
    e.onload = e.onloadeddata = () => done('got a ' + tag);
    e.onerror = () => done('nothing');
    set(e);
    document.body.append(e);
  });
  const form = (enctype, fields) => new Promise((done) => {
    const frame = document.createElement('iframe');
    frame.name = 'frame' + Math.random();
    const f = document.createElement('form');
    Object.assign(f, {method: 'POST', action: relay + '/api/messages', enctype, target: frame.name});
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement('input');
      Object.assign(input, {type: 'hidden', name, value});
      f.append(input);
    }
    document.body.append(frame, f);
    frame.onload = () => {
      try {
        if (frame.contentWindow.location.href === 'about:blank') return; // not sent yet
        done('got ' + frame.contentDocument.body.textContent);
      } catch {
        done('nothing');
      }
    };
    f.submit();
  });
  const opened = (w) => new Promise((done) => {
    if (!w) return done('no window');
    const end = Date.now() + 3000;
    const look = () => {
      try {
        if (w.location.href !== 'about:blank') return done('got ' + w.location.href + w.document.body.textContent);
      } catch {
        return done('nothing');
      }
      if (w.closed || Date.now() > end) return done('nothing');
      setTimeout(look, 20);
    };
    look();
  });
  const frame = (path) => new Promise((done) => {
    const f = document.createElement('iframe');
    f.src = relay + path;
    f.onload = () => {
      try {
        done(f.contentDocument ? 'got ' + f.contentDocument.body.textContent : 'nothing');
      } catch {
        done('nothing');
      }
    };
    document.body.append(f);
  });
  const json = {'Content-Type': 'application/json'};
  return {
    'read by fetch': () => read(messages),
    'read by fetch with credentials': () => read(messages, {credentials: 'include'}),
    'read by fetch without cors': () => read(messages, {mode: 'no-cors'}),
    'read by fetch as if of the same origin': () => read(messages, {mode: 'same-origin'}),
    'read by fetch with a header': () => read(messages, {headers: {Authorization: 'Bearer x'}}),
    'read the channels': () => read(relay + '/api/channels?details=1'),
    'read the messages of the page': () => read(relay + '/ui/messages?target=proj-x'),
    'read by XMLHttpRequest': () => new Promise((done) => {
      const x = new XMLHttpRequest();
      x.open('GET', messages);
      x.onload = () => done('got ' + x.responseText);
      x.onerror = () => done('nothing');
      x.send();
    }),
    'read by a stream': () => new Promise((done) => {
      const s = new EventSource(relay + '/api/stream?since_id=0');
      s.onopen = () => { s.close(); done('got a stream'); };
      s.onerror = () => { s.close(); done('nothing'); };
    }),
    'read by a WebSocket': () => new Promise((done) => {
      const s = new WebSocket(relay.replace('http', 'ws') + '/api/stream');
      s.onopen = () => done('got a socket');
      s.onerror = () => done('nothing');
    }),
    'read the page in a frame': () => frame('/'),
    'read the messages in a frame': () => frame('/api/messages?target=proj-x'),
    'read the page in a window': () => opened(window.open(relay + '/')),
    'read the messages in a window': () => opened(window.open(messages)),
    'load an image': () => element('img', (e) => { e.src = relay + '/assets/icon.svg'; }),
    'load messages as an image': () => element('img', (e) => { e.src = messages; }),
    'load messages as a script': () => element('script', (e) => { e.src = messages; }),
    'load a script': () => element('script', (e) => { e.src = relay + '/assets/app.js'; }),
    'load a style': () => element('link', (e) => { e.rel = 'stylesheet'; e.href = relay + '/assets/page.css'; }),
    'load a module': () => import(relay + '/assets/app.js').then(() => 'got a module', () => 'nothing'),
    'start a worker': () => new Promise((done) => {
      try {
        const w = new Worker(relay + '/assets/app.js');
        w.onerror = () => done('nothing');
        w.onmessage = () => done('got a worker');
      } catch {
        done('nothing');
      }
    }),
    'post text by fetch': () => read(relay + '/api/messages', {method: 'POST', mode: 'no-cors', body: draft}),
    'post text by fetch with cors': () => read(relay + '/api/messages', {method: 'POST', body: draft}),
    'post JSON by fetch': () => read(relay + '/api/messages', {method: 'POST', headers: json, body: draft}),
    'post to MCP': () => read(relay + '/mcp', {method: 'POST', mode: 'no-cors', body: JSON.stringify({jsonrpc: '2.0', id: 1, method: 'tools/call', params: {name: 'post_message', arguments: JSON.parse(draft)}})}),
    'post by a request that outlives the page': () => read(relay + '/api/messages', {method: 'POST', mode: 'no-cors', keepalive: true, body: draft}),
    'post by a beacon': async () => { navigator.sendBeacon(relay + '/api/messages', draft); return 'nothing'; },
    'post by a beacon of JSON': async () => { navigator.sendBeacon(relay + '/api/messages', new Blob([draft], {type: 'application/json'})); return 'nothing'; },
    'post by a form': () => form('application/x-www-form-urlencoded', {target: 'proj-x', sender: 'claude', text: 'hi'}),
    'post by a form in parts': () => form('multipart/form-data', {target: 'proj-x', sender: 'claude', text: 'hi'}),
    'post by a form that is JSON': () => form('text/plain', {[draft.slice(0, -1) + ',"x":"']: '"}'}),
    'delete': () => read(messages, {method: 'DELETE'}),
  };
}

async function attack(relay) {
  const results = {};
  const all = attacks(relay);
  await Promise.all(Object.keys(all).map(async (name) => {
    const late = new Promise((done) => setTimeout(() => done('nothing in time'), 10000));
    results[name] = String(await Promise.race([all[name](), late])).slice(0, 300);
  }));
  return results;
}
