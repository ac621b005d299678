'use strict';
class CardRefused extends Error {
  constructor(message) {
    super(message);
    this.name = 'CardRefused';
  }
}

exports.handler = async (event, context) => {
  switch (event.do) {
    case 'fail': throw new CardRefused('no money');
    case 'crash': process.exit(3);
    case 'sleep': return new Promise((done) => setTimeout(done, 60000));
    case 'context': return {id: context.awsRequestId, arn: context.invokedFunctionArn, left_ms: context.getRemainingTimeInMillis(), pid: process.pid};
    default: return {echo: event, pid: process.pid};
  }
};
