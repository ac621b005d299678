'use strict';
class CardRefused extends Error {
  constructor(m) { super(m); this.name = 'CardRefused'; }
}
exports.handler = async (event) => { console.log('seen', JSON.stringify(event)); return event; };
exports.about = async (event, context) => ({
  id: context.awsRequestId, name: context.functionName, arn: context.invokedFunctionArn,
  left: context.getRemainingTimeInMillis() > 0, custom: context.clientContext.custom, pid: process.pid, extra: process.env.EXTRA,
});
exports.callback = (event, context, callback) => { setTimeout(() => callback(null, {got: event}), 1); };
exports.callbackFails = (event, context, callback) => { setImmediate(() => callback(new CardRefused('no money'))); };
exports.fail = async () => { throw new CardRefused('no money'); };
exports.throwsText = () => { throw 'just text'; };
exports.silent = (event, context, callback) => {};
exports.nothing = async () => {};
exports.circular = async () => { const a = {}; a.a = a; return a; };
exports.unhandled = (event, context, callback) => { Promise.reject(new CardRefused('lost')); };
exports.uncaught = (event, context, callback) => { setImmediate(() => { throw new CardRefused('late'); }); };
exports.deep = {er: {handler: async () => 'deep'}};
exports.leave = () => { process.exit(4); };
