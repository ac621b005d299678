// Drives the Firestore at FIRESTORE_EMULATOR_HOST with Google's client for Node.js and writes what it was told as JSON.
'use strict';
const { FieldValue, Filter, Firestore, Timestamp } = require('@google-cloud/firestore');

const db = new Firestore({ projectId: 'witness' });
const told = {};

// code returns the code of gRPC that a promise fails with, 0 if it does not.
const code = (p) => p.then(() => 0, (e) => e.code);

async function documents() {
  const doc = db.doc('cities/oslo');
  told.getOfNothing = (await doc.get()).exists;
  told.updateOfNothing = await code(doc.update({ n: 1 }));
  const made = await doc.create({ n: 1, in: { a: 'x', b: [1.5, null, true] }, at: Timestamp.fromMillis(1500), raw: Buffer.from([1, 2]) });
  told.secondCreate = await code(doc.create({}));
  const changed = await doc.update({ 'in.a': 'y', n: FieldValue.delete() }, { lastUpdateTime: made.writeTime });
  told.later = changed.writeTime.toMillis() >= made.writeTime.toMillis() && !changed.writeTime.isEqual(made.writeTime);
  told.updateOfAnOldVersion = await code(doc.update({ n: 2 }, { lastUpdateTime: made.writeTime }));
  await doc.set({ more: { k: 'v' } }, { merge: true });
  const data = (await doc.get()).data();
  told.document = { in: data.in, at: data.at.toMillis(), raw: data.raw.toString('hex'), more: data.more };
  await doc.delete();
  told.deleteOfNothing = await code(doc.delete({ exists: true }));
}

async function transforms() {
  const doc = db.doc('transforms/d');
  await doc.set({ n: 40, f: 1, set: ['a', 1] });
  await doc.update({ n: FieldValue.increment(2), f: FieldValue.increment(0.5), set: FieldValue.arrayUnion('b', 1, 'a') });
  await doc.update({ set: FieldValue.arrayRemove('a'), when: FieldValue.serverTimestamp() });
  const snap = await doc.get();
  told.transformed = { n: snap.get('n'), f: snap.get('f'), set: snap.get('set'), when: snap.get('when').isEqual(snap.updateTime) };
}

async function transactions() {
  const doc = db.doc('counters/c');
  await doc.set({ n: 0 });
  const once = () => db.runTransaction(async (tx) => {
    const snap = await tx.get(doc);
    tx.update(doc, { n: snap.get('n') + 1 });
  }, { maxAttempts: 100 });
  await Promise.all(Array.from({ length: 8 }, once));
  told.counted = (await doc.get()).get('n');
  told.before = await db.runTransaction(async (tx) => {
    await tx.get(doc); // the time of the transaction
    await doc.update({ n: -1 });
    return (await tx.get(doc)).get('n');
  }, { readOnly: true });
  told.rolledBack = await code(db.runTransaction(async (tx) => {
    tx.create(db.doc('counters/other'), {});
    tx.update(db.doc('counters/missing'), { n: 1 });
  }));
  told.nothingOfIt = (await db.doc('counters/other').get()).exists;
}

async function queries() {
  const col = db.collection('numbers');
  const bulk = db.bulkWriter();
  for (let i = 0; i < 6; i++) bulk.create(col.doc('d' + i), { n: i % 3, big: i, tags: i % 2 ? ['odd'] : [] });
  await bulk.close();
  const ids = async (q) => (await q.get()).docs.map((d) => d.id).join(' ');
  told.queries = {
    equal: await ids(col.where('n', '==', 1)),
    range: await ids(col.where('big', '>', 1).where('big', '<=', 3)),
    order: await ids(col.orderBy('n', 'desc').orderBy('big').limit(3)),
    cursor: await ids(col.orderBy('big').startAfter(3)),
    names: await ids(col.where('__name__', '>=', 'd2').where('__name__', '<', 'd4')),
    contains: await ids(col.where('tags', 'array-contains', 'odd')),
    or: await ids(col.where(Filter.or(Filter.where('big', '==', 0), Filter.where('big', '==', 5)))),
  };
  await col.doc('d0').collection('sub').doc('x').set({});
  await col.doc('ghost').collection('sub').doc('y').set({});
  told.group = await ids(db.collectionGroup('sub'));
  told.listed = (await col.listDocuments()).map((d) => d.id).join(' ');
  told.collections = (await db.listCollections()).map((c) => c.id).join(' ');
  await db.recursiveDelete(col);
  told.afterRecursiveDelete = (await col.listDocuments()).length;
}

(async () => {
  await documents();
  await transforms();
  await transactions();
  await queries();
  console.log(JSON.stringify(told));
  await db.terminate();
})().catch((e) => {
  console.error(e);
  process.exit(1);
});
