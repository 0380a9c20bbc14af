// Small helpers on the document and the browser's storage.

export const byId = (id) => document.getElementById(id);

// el makes an element. What the element knows as a property is set as one, all
// else as an attribute; null and undefined are left out. Children are elements
// or strings.
export function el(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === null || value === undefined) continue;
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((c) => c !== null && c !== undefined));
  return node;
}

const policy = globalThis.trustedTypes?.createPolicy('relay', { createHTML: (html) => html });

// setHTML is the one place where a string becomes HTML. It must only be given
// what the relay has sanitised or what highlight.js has escaped.
export function setHTML(node, html) {
  node.innerHTML = policy ? policy.createHTML(html) : html;
}

// recall and remember use localStorage where it can be used.
export function recall(name) {
  try {
    return localStorage.getItem('relay-' + name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem('relay-' + name, value);
  } catch {
    // The page works without a memory.
  }
}

export function forget(...names) {
  try {
    for (const name of names) localStorage.removeItem('relay-' + name);
  } catch {
    // Then nothing was remembered either.
  }
}
