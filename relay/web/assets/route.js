// Addresses within the page: #/channel/NAME and #/channel/NAME/ID.

export function parse(hash) {
  const match = /^#\/channel\/([^/]+)(?:\/(\d+))?$/.exec(hash);
  if (!match) return null;
  try {
    return { channel: decodeURIComponent(match[1]), id: Number(match[2] ?? 0) };
  } catch {
    return null;
  }
}

export function format(channel, id) {
  return `#/channel/${encodeURIComponent(channel)}` + (id ? `/${id}` : '');
}
