'use strict';

// Function create_post: puts a post together.
//
// Takes {run, author, text, mentions, urls}, gives {id, author, text, mentions, urls}: the text with its
// URLs shortened, and where in it mentions and URLs stand now (code points, end exclusive). The
// id comes from the run, so that a second attempt makes the same post.

const crypto = require('node:crypto');

const MOST = 500; // code points of a post, after shortening

class PostTooLong extends Error {
  constructor(length) {
    super(`the post has ${length} characters with its URLs shortened: give at most ${MOST}`);
    this.name = 'PostTooLong';
  }
}

exports.handler = async ({ run, author, text, mentions, urls }) => {
  const points = Array.from(text);
  // What looks like a mention inside a URL is part of the URL.
  const outside = mentions.filter((m) => !urls.some((u) => m.start < u.end && u.start < m.end));
  const pieces = [];
  const post = { id: '', author, text: '', mentions: [], urls: [] };
  let from = 0; // in the text as written
  let at = 0; // in the text as it becomes
  const add = (chars) => {
    pieces.push(chars.join(''));
    at += chars.length;
  };
  for (const found of [...outside, ...urls].sort((a, b) => a.start - b.start)) {
    add(points.slice(from, found.start));
    const start = at;
    add(found.short ? Array.from(found.short) : points.slice(found.start, found.end));
    from = found.end;
    if (found.short) {
      post.urls.push({ url: found.url, short: found.short, start, end: at });
    } else {
      post.mentions.push({ user: found.user, start, end: at });
    }
  }
  add(points.slice(from));
  if (at > MOST) {
    throw new PostTooLong(at);
  }
  post.text = pieces.join('');
  post.id = crypto.createHash('sha256').update(JSON.stringify([run, author, text])).digest('hex').slice(0, 16);
  return post;
};
