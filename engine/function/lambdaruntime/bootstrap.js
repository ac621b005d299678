// Weft's Lambda runtime for Node.js: loads one handler and serves it over the Lambda Runtime API.
'use strict';
const fs = require('fs');
const http = require('http');
const path = require('path');
const url = require('url');
const {createRequire} = require('module');

const API = '/2018-06-01/runtime/';
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const agent = new http.Agent({keepAlive: true, maxSockets: 1});

// request resolves to {status, headers, body}; method, path and body say what to ask.
function request(method, where, body, kind, via = agent) {
  return new Promise((resolve, reject) => {
    const headers = {};
    if (body !== undefined) {
      headers['Content-Type'] = 'application/json';
      headers['Content-Length'] = Buffer.byteLength(body);
    }
    if (kind) headers['Lambda-Runtime-Function-Error-Type'] = kind.replace(/[^\x21-\x7e]/g, '?');
    const req = http.request({host, port, agent: via, method, headers, path: API + where}, (res) => {
      const parts = [];
      res.on('data', (part) => parts.push(part));
      res.on('end', () => resolve({status: res.statusCode, headers: res.headers, body: Buffer.concat(parts).toString()}));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}

class Fault extends Error {
  constructor(kind, message, trace) {
    super(message);
    this.name = kind;
    if (trace) this.stack = trace;
  }
}

function describe(error) {
  if (error instanceof Error || (error && typeof error === 'object' && 'stack' in error && 'message' in error)) {
    return {
      errorType: String(error.name), errorMessage: String(error.message),
      trace: String(error.stack || '').split('\n'),
    };
  }
  let message;
  try { message = String(error); } catch (e) { message = 'an error that cannot be shown'; }
  return {errorType: typeof error, errorMessage: message, trace: []};
}

function tell(doc) {
  process.stderr.write(`ERROR\t${doc.errorType}: ${doc.errorMessage}\n${(doc.trace || []).slice(1).join('\n')}\n`);
}

// load finds what _HANDLER names: "file.function", where function may go deeper ("file.a.b").
async function load(spec) {
  const base = path.basename(spec);
  const dot = base.indexOf('.');
  if (dot <= 0 || dot === base.length - 1) {
    throw new Fault('Runtime.MalformedHandlerName', `Bad handler ${spec}: it must be file.function`);
  }
  const stem = path.resolve(process.cwd(), path.dirname(spec), base.slice(0, dot));
  const file = ['', '.js', '.mjs', '.cjs'].map((end) => stem + end).find((f) => fs.existsSync(f) && fs.statSync(f).isFile());
  let module;
  try {
    module = await importFile(file, stem);
  } catch (e) {
    if (e instanceof SyntaxError) throw new Fault('Runtime.UserCodeSyntaxError', `SyntaxError: ${e.message}`, e.stack);
    if (e && (e.code === 'MODULE_NOT_FOUND' || e.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new Fault('Runtime.ImportModuleError', `Error: ${e.message}`, e.stack);
    }
    throw e;
  }
  let handler = module;
  for (const name of base.slice(dot + 1).split('.')) handler = handler && handler[name];
  if (handler === undefined && module && module.default) {
    handler = module.default;
    for (const name of base.slice(dot + 1).split('.')) handler = handler && handler[name];
  }
  if (handler === undefined) throw new Fault('Runtime.HandlerNotFound', `${spec} is undefined or not exported`);
  if (typeof handler !== 'function') throw new Fault('Runtime.HandlerNotFound', `${spec} is not a function`);
  return handler;
}

// importFile loads CommonJS with require and ES modules with import, whichever the file is.
async function importFile(file, stem) {
  if (file && !file.endsWith('.mjs')) {
    try {
      return createRequire(path.join(process.cwd(), 'bootstrap.js'))(file);
    } catch (e) {
      const isModule = e && (e.code === 'ERR_REQUIRE_ESM' || e.code === 'ERR_REQUIRE_ASYNC_MODULE');
      if (!isModule) throw e;
    }
  }
  if (!file) {
    const e = new Error(`Cannot find module '${path.basename(stem)}'`);
    e.code = 'MODULE_NOT_FOUND';
    throw e;
  }
  return import(url.pathToFileURL(file).href);
}

// context is a handler's second argument; done ends the invocation from the old style of handlers.
function contextOf(headers, done) {
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  const client = headers['lambda-runtime-client-context'];
  return {
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: process.env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: process.env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: client ? JSON.parse(client) : undefined,
    identity: undefined,
    callbackWaitsForEmptyEventLoop: true,
    getRemainingTimeInMillis: () => Math.max(deadline - Date.now(), 0),
    done: (error, result) => done(error, result),
    fail: (error) => done(error === undefined || error === null ? 'handled' : error),
    succeed: (result) => done(null, result),
  };
}

// call resolves to the handler's result: its promise's, or what it gives to callback or context.done.
function call(handler, event, headers) {
  return new Promise((resolve, reject) => {
    giveUp = () => resolve(null);
    const done = (error, result) => (error === null || error === undefined ? resolve(result) : reject(error));
    const returned = handler(event, contextOf(headers, done), done);
    if (returned && typeof returned.then === 'function') {
      returned.then(resolve, reject);
    } else if (returned !== undefined && handler.length < 3) {
      resolve(returned);
    }
  });
}

function encode(result) {
  let text;
  try {
    text = JSON.stringify(result === undefined ? null : result);
  } catch (e) {
    throw new Fault('Runtime.MarshalError', `Unable to stringify response body: ${e.message}`);
  }
  return text === undefined ? 'null' : text;
}

// giveUp ends a call whose handler left nothing that could ever answer: its result is null, as on Lambda.
let giveUp = () => {};
process.on('beforeExit', () => giveUp());

let current = null; // the id of the request being served

// crash reports what nothing caught, as the current request's error or the start's, and ends.
async function crash(doc) {
  tell(doc);
  try {
    await request('POST', current ? `invocation/${current}/error` : 'init/error', JSON.stringify(doc), doc.errorType, false);
  } finally {
    process.exit(1);
  }
}

async function serve(handler) {
  for (;;) {
    const {status, headers, body} = await request('GET', 'invocation/next');
    if (status !== 200) process.exit(0);
    current = headers['lambda-runtime-aws-request-id'];
    let answer;
    let failure;
    try {
      answer = encode(await call(handler, JSON.parse(body), headers));
    } catch (error) {
      failure = describe(error);
    }
    if (failure) {
      tell(failure);
      await request('POST', `invocation/${current}/error`, JSON.stringify(failure), failure.errorType);
    } else {
      await request('POST', `invocation/${current}/response`, answer);
    }
    current = null;
  }
}

process.on('uncaughtException', (error) => crash(describe(error)));
process.on('unhandledRejection', (reason) => {
  const doc = describe(reason);
  crash({errorType: 'Runtime.UnhandledPromiseRejection', errorMessage: `${doc.errorType === 'string' ? '' : doc.errorType + ': '}${doc.errorMessage}`, trace: doc.trace});
});

load(process.env._HANDLER).then(serve).catch((error) => { current = null; crash(describe(error)); });
