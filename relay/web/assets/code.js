// Colours code blocks when they come near the screen. Without highlight.js, or
// in a browser that cannot load it, code stays as it is.

import { setHTML } from './dom.js';

const LONGEST = 100_000; // characters; colouring more would be felt

let library = null;

async function load() {
  library ??= import('./vendor/highlight.min.js').then((module) => module.default, () => null);
  return library;
}

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    observer.unobserve(entry.target);
    colour(entry.target);
  }
}, { rootMargin: '600px' });

// colourLater takes the code blocks of a message's body.
export function colourLater(body) {
  for (const code of body.querySelectorAll('pre > code')) {
    if (code.textContent.length <= LONGEST && language(code)) observer.observe(code);
  }
}

async function colour(code) {
  const hljs = await load();
  const name = language(code);
  if (!hljs?.getLanguage(name)) return;
  const { value } = hljs.highlight(code.textContent, { language: name, ignoreIllegals: true });
  setHTML(code, value);
  code.classList.add('hljs');
}

// language reads the fence, or recognises a diff without one. There is no
// guessing of others: it is slow, and wrong for logs and prose.
function language(code) {
  const named = /(?:^|\s)language-(\S+)/.exec(code.className);
  if (named) return named[1].toLowerCase();
  return /^(?:diff --git |--- \S.*\n\+\+\+ |@@ -\d)/.test(code.textContent) ? 'diff' : '';
}
