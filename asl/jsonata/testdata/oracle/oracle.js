// Evaluates expressions with the reference implementation. One JSON object a line in, one a line out:
//   {"expr", "input"?, "now", "depth"?}  ->  {"result"} | {} (undefined) | {"code", "token", "position", "message"}
// With the argument "bench" it reads {"expr", "input", "ms"}, evaluates for that long and answers {"ns"}: the time of one evaluation.
'use strict';
const jsonata = require('jsonata');
const readline = require('readline');

const RealDate = Date;

function plain(value) {
  return JSON.stringify(value, (key, v) => {
    if (typeof v === 'number' && !Number.isFinite(v)) {
      throw { code: 'D1001', message: 'not finite' };
    }
    if (typeof v === 'function' || (v && (v._jsonata_function || v._jsonata_lambda))) {
      return '';
    }
    return v;
  });
}

async function evaluate(request) {
  try {
    const expr = jsonata(request.expr);
    global.Date = class extends RealDate {
      constructor(...args) { args.length ? super(...args) : super(request.now); }
    };
    let depth = 0;
    const start = RealDate.now();
    expr.assign(Symbol.for('jsonata.__evaluate_entry'), () => {
      depth++;
      if (depth > 400) throw { code: 'U1001', message: 'too deep' };
      if (RealDate.now() - start > 2000) throw { code: 'U1001', message: 'too long' };
    });
    expr.assign(Symbol.for('jsonata.__evaluate_exit'), () => { depth--; });
    const value = await expr.evaluate(request.input);
    const text = plain(value);
    return text === undefined ? {} : { result: text };
  } catch (e) {
    return { code: e.code || 'JS', token: e.token === undefined ? '' : String(e.token), position: e.position, message: String(e.message) };
  } finally {
    global.Date = RealDate;
  }
}

async function measure(request) {
  const expr = jsonata(request.expr);
  let best = 0;
  for (let slice = 0; slice < 6; slice++) { // the first one warms up
    const start = process.hrtime.bigint();
    let n = 0, spent = 0;
    do {
      for (let i = 0; i < 8; i++) await expr.evaluate(request.input);
      n += 8;
      spent = Number(process.hrtime.bigint() - start);
    } while (spent < request.ms * 1e6 / 5);
    if (slice > 0 && (best === 0 || spent / n < best)) best = spent / n;
  }
  return { ns: best };
}

// Functions remember the name they were last called by, in errors from anywhere. Here all are called once by their own.
async function warm() {
  const names = ('sum count max min average string substring substringBefore substringAfter lowercase uppercase length trim pad match ' +
    'contains replace split join formatNumber formatBase formatInteger parseInteger number floor ceil round abs sqrt power random ' +
    'boolean not map zip filter single reduce sift keys lookup append exists spread merge reverse each error assert type sort shuffle ' +
    'distinct base64encode base64decode encodeUrlComponent encodeUrl decodeUrlComponent decodeUrl eval toMillis fromMillis clone').split(' ');
  for (const name of names) {
    try { await jsonata('$' + name + '()').evaluate(); } catch (e) { /* all that counts is the name */ }
  }
}

(async () => {
  await warm();
  const work = process.argv[2] === 'bench' ? measure : evaluate;
  for await (const line of readline.createInterface({ input: process.stdin })) {
    process.stdout.write(JSON.stringify(await work(JSON.parse(line))) + '\n');
  }
})();
