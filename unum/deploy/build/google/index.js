// The function that Google's framework serves: it hands every request to Weft's runtime, which is started first.
'use strict';
const {spawn} = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const functions = require('@google-cloud/functions-framework');

let starting = null;

function program() {
  const file = path.join(__dirname, 'weft-function');
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return file;
  } catch (e) { // the archive was unpacked without modes
    fs.copyFileSync(file, '/tmp/weft-function');
    fs.chmodSync('/tmp/weft-function', 0o700);
    return '/tmp/weft-function';
  }
}

const freePort = () => new Promise((resolve, reject) => {
  const server = net.createServer();
  server.on('error', reject);
  server.listen(0, '127.0.0.1', () => {
    const {port} = server.address();
    server.close(() => resolve(port));
  });
});

const listens = (port) => new Promise((resolve) => {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('connect', () => { socket.destroy(); resolve(true); });
  socket.on('error', () => resolve(false));
});

// start resolves to the port of the runtime.
async function start() {
  const port = await freePort();
  const child = spawn(program(), ['http'], {cwd: __dirname, env: {...process.env, PORT: String(port)}, stdio: 'inherit'});
  let ended = null;
  child.on('exit', (code) => { ended = code; starting = null; });
  child.on('error', () => { ended = -1; starting = null; });
  process.on('exit', () => child.kill());
  while (!(await listens(port))) {
    if (ended !== null) throw new Error(`weft-function ended with status ${ended}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return port;
}

const runtime = () => (starting ||= start());
runtime().catch(() => { starting = null; });

functions.http('weft', async (req, res) => {
  let port;
  try {
    port = await runtime();
  } catch (e) {
    starting = null;
    res.status(500).send(String(e));
    return;
  }
  const headers = {...req.headers};
  for (const name of ['connection', 'transfer-encoding', 'content-length']) delete headers[name];
  const body = req.rawBody || Buffer.alloc(0);
  headers['content-length'] = body.length;
  const out = http.request({host: '127.0.0.1', port, method: req.method, path: req.originalUrl || req.url, headers}, (answer) => {
    const kept = {...answer.headers};
    for (const name of ['connection', 'transfer-encoding']) delete kept[name];
    res.writeHead(answer.statusCode, kept);
    answer.pipe(res);
  });
  out.on('error', (e) => res.status(502).send(String(e)));
  out.end(body);
});
