// parser returns a function that takes the pieces of an event stream as they
// come and calls onEvent({event, id, data}) for each whole event.
export function parser(onEvent) {
  let buffer = '', scanned = 0;
  let event = '', id = '', data = [];

  function line(text) {
    if (text === '') {
      if (data.length > 0) onEvent({ event: event || 'message', id, data: data.join('\n') });
      event = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return; // a comment, such as a heartbeat
    const field = colon < 0 ? text : text.slice(0, colon);
    let value = colon < 0 ? '' : text.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'event') event = value;
    else if (field === 'id') id = value;
    else if (field === 'data') data.push(value);
  }

  return (piece) => {
    buffer += piece;
    // A CR at the very end may be half of a CRLF: it waits for the next piece.
    const ends = /\r\n|\n|\r(?!$)/g;
    ends.lastIndex = Math.max(scanned - 1, 0);
    let from = 0;
    for (let end; (end = ends.exec(buffer)); from = ends.lastIndex) {
      line(buffer.slice(from, end.index));
    }
    buffer = buffer.slice(from);
    scanned = buffer.length;
  };
}
