// SPDX-License-Identifier: Apache-2.0
// An Agorai node as seen by polkadot.js: connecting, reading all storage, submitting a request and reading its answer.
// It needs a network with a live model 0: AGORAI_URL (scripts/polkadot-js-test.sh starts one).

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ApiPromise, Keyring, WsProvider } from '@polkadot/api';

const PALLETS = ['validators', 'datasets', 'models', 'verification', 'inference', 'training'];
const SETTLE_MS = 120_000;

let api;

before(async () => {
  const provider = new WsProvider(process.env.AGORAI_URL ?? 'ws://127.0.0.1:9944');
  api = await ApiPromise.create({ provider, noInitWarn: true });
}, { timeout: 60_000 });

after(() => api?.disconnect());

test('the metadata has the calls, storage, events and errors of every Agorai pallet', () => {
  for (const pallet of PALLETS) {
    assert.ok(api.tx[pallet], `no calls of ${pallet}`);
    assert.ok(api.query[pallet], `no storage of ${pallet}`);
    assert.ok(api.events[pallet], `no events of ${pallet}`);
    assert.ok(api.errors[pallet], `no errors of ${pallet}`);
  }
});

test('every storage item of every pallet decodes', { timeout: 120_000 }, async () => {
  let values = 0;
  for (const [pallet, items] of Object.entries(api.query)) {
    for (const [name, item] of Object.entries(items)) {
      if (!item.creator) continue; // `substrate` has raw keys only
      const { type } = item.creator.meta;
      if (type.isPlain) {
        (await item()).toHuman();
        values += 1;
      } else {
        for (const [key, value] of await item.entriesPaged({ args: [], pageSize: 50 })) {
          assert.ok(key.args.length > 0, `${pallet}.${name} has an empty key`);
          value.toHuman();
          values += 1;
        }
      }
    }
  }
  assert.ok(values > 50, `only ${values} values were read`);
});

test('the events of past blocks decode', { timeout: 60_000 }, async () => {
  let hash = await api.rpc.chain.getFinalizedHead();
  for (let blocks = 0; blocks < 20; blocks += 1) {
    const { block } = await api.rpc.chain.getBlock(hash);
    for (const record of await (await api.at(hash)).query.system.events()) {
      assert.ok(record.event.section && record.event.method);
      record.toHuman();
    }
    if (block.header.number.toNumber() === 1) break;
    hash = block.header.parentHash;
  }
});

test('a request for an unknown model is refused with a named error', { timeout: 60_000 }, async () => {
  const eve = new Keyring({ type: 'sr25519' }).addFromUri('//Eve');
  const sampling = { maxTokens: 4, temperatureMilli: 0, topK: 0, topPMilli: 0, seed: 1, stop: null };
  const error = await submit(api.tx.inference.request(999, '0x41', sampling, 'Checked', 10n ** 15n), eve).then(
    () => assert.fail('an unknown model was accepted'),
    (refusal) => refusal,
  );
  assert.match(error.message, /unknown/i);
});

test('a request is submitted, checked and settled, and its answer is read', { timeout: SETTLE_MS + 30_000 }, async () => {
  const ferdie = new Keyring({ type: 'sr25519' }).addFromUri('//Ferdie');
  const sampling = { maxTokens: 16, temperatureMilli: 800, topK: 40, topPMilli: 950, seed: 7, stop: null };
  const prompt = '0x' + Buffer.from('the square ').toString('hex');
  const before = (await api.query.system.account(ferdie.address)).data;
  const events = await submit(api.tx.inference.request(0, prompt, sampling, 'Checked', 10n ** 15n), ferdie);
  const requested = events.find(({ event }) => api.events.inference.Requested.is(event));
  assert.ok(requested, 'no event Requested');
  const request = requested.event.data.request;

  const deadline = Date.now() + SETTLE_MS;
  let status;
  do {
    await new Promise((next) => setTimeout(next, 1_000));
    const record = await api.query.inference.requests(request);
    assert.ok(record.isSome, 'the request has no record');
    status = record.unwrap().status;
  } while (!status.isSettled && !status.isRefunded && Date.now() < deadline);
  assert.ok(status.isSettled, `the request is ${status.type}, not settled`);
  const answer = Buffer.from(status.asSettled.output.toU8a(true));
  assert.ok(answer.length > 0 && answer.length <= 16, `the answer has ${answer.length} bytes`);
  const after = (await api.query.system.account(ferdie.address)).data;
  assert.ok(after.free.toBigInt() < before.free.toBigInt(), 'no fee was paid');
  assert.equal(after.reserved.toBigInt(), before.reserved.toBigInt(), 'the fee is still held');
  console.log(`answer: ${JSON.stringify(answer.toString('utf8'))}`);
});

// Resolves to the events of the extrinsic when it is in a block; rejects with the error's name if it failed.
function submit(tx, signer) {
  return new Promise((resolve, reject) => {
    tx.signAndSend(signer, ({ status, events, dispatchError }) => {
      if (!status.isInBlock) return;
      if (!dispatchError) return resolve(events);
      const error = dispatchError.isModule ? api.registry.findMetaError(dispatchError.asModule) : null;
      reject(new Error(error ? `${error.section}.${error.name}` : dispatchError.toString()));
    }).catch(reject);
  });
}
