'use strict';

// Function find_url: finds the http and https URLs of a text.
//
// Takes {text}, gives {urls: [{url, start, end}]} in order of the text. Positions count code points, as
// Python's do, and not the UTF-16 units of JavaScript; end is exclusive.

const CANDIDATE = /https?:\/\/[^\s<>"'`\u0000-\u001f]+/giu;

exports.handler = async ({ text }) => {
  const urls = [];
  let from = 0;
  let points = 0; // code points before `from`
  for (const { 0: candidate, index } of text.matchAll(CANDIDATE)) {
    const url = withoutTail(candidate);
    if (!URL.canParse(url)) {
      continue;
    }
    const start = points + length(text.slice(from, index));
    points = start + length(url);
    from = index + url.length;
    urls.push({ url, start, end: points });
  }
  return { urls };
};

// withoutTail cuts off what ends the sentence rather than the URL: punctuation, and brackets closed more
// often than opened.
function withoutTail(url) {
  for (;;) {
    const last = url.at(-1);
    const open = { ')': '(', ']': '[', '}': '{' }[last];
    const closes = open !== undefined && url.split(last).length > url.split(open).length;
    if (!closes && !'.,;:!?…'.includes(last)) {
      return url;
    }
    url = url.slice(0, -1);
  }
}

function length(s) {
  let n = 0;
  for (const _ of s) {
    n++;
  }
  return n;
}
