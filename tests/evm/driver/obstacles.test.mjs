// SPDX-License-Identifier: Apache-2.0
//
// What could hold settlement up for ever: worthless items in front, a batch kept back, a price refused at the door, an endpoint
// that swallows transactions or refuses calls, a limit on ranges of logs, a gap in the account's nonces.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { mocks } from "../chain.mjs";
import { Fixture } from "../fixture.mjs";
import { Liar } from "./liar.mjs";
import { GB, Kind, NO_VOUCHER, PRICE, ROOT, Settlement, split, start, until } from "./harness.mjs";

// A test with a chain of its own.
function scenario(name, run) {
	test(name, async () => {
		const s = await Settlement.create();
		try {
			await run(s);
		} finally {
			await s.close();
		}
	});
}

scenario("what waits for the payout threshold holds up neither another call nor a deadline behind it", async (s) => {
	// A hundred settlements of no worth, as a hostile buyer can make them, then two that must not wait.
	const [first] = await s.sessions(1, { bytes: 1n });
	const dust = [];
	for (let i = 0; i < 100; i++) dust.push({ line: (await s.request(ethers.id(`dust ${i}`), 0n, { voucher: NO_VOUCHER, value: 0n })).line });
	const late = await s.request(first.id, 5n * GB, { value: 1n, deadline: 1 });
	const other = await s.f.buy({ mode: 2 });
	const proposal = await s.request(other, GB, { kind: 1, voucher: NO_VOUCHER, value: 1n, deadline: 1 });
	await s.queue([...dust, late, proposal]);
	s.pump(30);
	await s.halt({ threshold: 10n ** 18n, count: 100, skips_max: 1 }, ({ items }) => items[100].state === "done" && items[101].state === "done");
	assert.equal((await s.settled()).get(first.id)[0].bytesUsed, 5n * GB);
});

scenario("a full batch that waits for the fee ceiling makes room for a settlement near its deadline", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.keepBack(2);
	const states = async () => (await s.list()).items.map((i) => i.state);
	assert.deepEqual(await states(), ["batched", "batched"]);
	const late = await s.request(await s.f.buy(), 2n * GB, { deadline: 1 });
	await s.queue([late]);
	await s.keepBack(2);
	assert.deepEqual((await states()).sort(), ["batched", "batched", "queued"]);
	assert.equal((await states())[2], "batched");
	// One of another call goes before the one that was put back, which is settled last.
	const proposal = await s.request(await s.f.buy({ mode: 2 }), GB, { kind: 1, voucher: NO_VOUCHER, deadline: 1 });
	await s.queue([proposal]);
	s.pump(30);
	await s.finish({ count: 2 });
	await s.assertSettledOnce([...list, late]);
	const { items, txs } = await s.list();
	assert.equal(items[2].tx, 1, "the urgent one went with the first transaction");
	assert.equal(items[3].state, "done");
	assert.equal((await s.events("SettlementProposed")).length, 1);
	assert.deepEqual(txs.map((t) => [t.state, t.items]), [["done", 2], ["done", 1], ["done", 1]]);
});

scenario("a proposal is followed by its execution, once", async (s) => {
	const id = await s.f.buy({ mode: 2 });
	const proposal = await s.request(id, 6n * GB, { kind: 1, voucher: NO_VOUCHER });
	const execution = await s.request(id, 6n * GB, { kind: 2, voucher: NO_VOUCHER });
	s.pump(30);
	await s.queue([proposal]);
	const early = await s.queue([execution], { mayFail: true });
	assert.match(early.out, /refused settlement refused \(not_proposed\)/);
	await s.finish();
	await s.queue([execution, execution]);
	await s.chain.rpc("evm_increaseTime", 8 * 86400);
	await s.finish();
	await s.assertSettledOnce([{ id, bytes: 6n * GB }]);
	assert.deepEqual((await s.list()).items.map((i) => i.kind), ["propose", "execute"]);
	// Once executed it is over.
	const again = await s.queue([proposal], { mayFail: true });
	assert.match(again.out, /refused settlement refused \(over\)/);
});

scenario("a transaction refused at the door for its price is priced again", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	// Signed and stored, not sent; then gas gets dear and stays so, below the ceiling.
	assert.equal((await s.run({}, { env: { TOLLWIRE_FAILPOINT: "raw_stored" } })).signal, "SIGKILL");
	await s.automine(false);
	const dear = 30n * 10n ** 9n;
	await s.chain.rpc("anvil_setNextBlockBaseFeePerGas", ethers.toQuantity(dear));
	await s.chain.rpc("evm_mine");
	s.pump(30, dear);
	const result = await s.run({ reprice_ms: 200 });
	assert.equal(result.status, 0, result.err);
	await s.assertSettledOnce(list);
	assert.ok((await s.list()).txs[0].attempts >= 2, "it was priced once only");
});

scenario("a gap in the account's nonces: told, and settled under the one that is missing", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.chain.receipt(await s.chain.rpc("eth_sendTransaction", { from: s.f.settler, to: s.f.settler, gas: "0x5208" }));
	const nonce = Number(await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest"));
	await s.automine(false);
	const run = s.startRun({ confirmations: 3 });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	// What was mined in front of ours is gone for good, as after a reorganisation deeper than was watched.
	await s.chain.rpc("anvil_dropAllTransactions");
	await s.chain.rpc("anvil_setNonce", s.f.settler, ethers.toQuantity(nonce - 1));
	s.pump(30);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /alert nonce_gap: /);
	await s.assertSettledOnce(list);
	assert.deepEqual((await s.list()).txs.map((t) => t.state), ["dropped", "done"]);
});

scenario("a session settled by hand long ago is found by an endpoint that shows short ranges only", async (s) => {
	const list = await s.sessions(2);
	const voucher = await s.f.voucher(list[0].id, list[0].bytes);
	await s.f.send(s.f.operator, "finalizeSession", [list[0].id, list[0].bytes, ROOT, voucher]);
	await s.chain.rpc("anvil_mine", "0x1f4");
	await s.queue(list);
	const liar = await Liar.start(s.chain.url, "short_ranges");
	s.pump(30);
	const result = await s.run({ rpc: liar.url });
	liar.stop();
	assert.equal(result.status, 0, result.err);
	await s.assertSettledOnce(list);
});

// The sessions of the events that `watch` sees from the beginning, one for each event.
async function watched(s) {
	const result = await start(s.args({ confirmations: 1, linger_ms: 3000 }, "watch", String(s.fromBlock))).ended;
	assert.equal(result.status, 0, result.err);
	return result.out.split("\n").filter((line) => line.startsWith("event ")).map((line) => line.split(" ")[2]);
}

scenario("a stranger who fills a block with skips of batches keeps nobody from reading on", async (s) => {
	const before = await s.f.buy();
	const ids = Array.from({ length: 1000 }, (_, i) => ethers.id(`nobody's ${i}`));
	await s.f.send(s.f.stranger, "executeBatch", [s.f.nodeId, ids]);
	assert.equal((await s.events("BatchItemSkipped")).length, 1000);
	const after = await s.f.buy();
	const seen = await watched(s);
	for (const id of [before, after]) assert.ok(seen.includes(id), `${id} is not seen`);
});

scenario("nor does a block full of other sessions' events", async (s) => {
	const before = await s.f.buy();
	const vouchers = [];
	for (let i = 1n; i <= 700n; i++) vouchers.push(await s.f.voucher(before, i));
	await s.chain.rpc("evm_setBlockGasLimit", "0x7735940");
	await s.automine(false);
	for (const voucher of vouchers)
		await s.chain.rpc("eth_sendTransaction", {
			from: s.f.operator, to: s.f.escrow.target, gas: "0x249f0",
			data: s.f.escrow.interface.encodeFunctionData("claim", [before, voucher]),
		});
	await s.chain.rpc("evm_mine");
	await s.automine(true);
	assert.equal((await s.events("SessionClaimed")).length, 700);
	const after = await s.f.buy();
	const seen = await watched(s);
	assert.ok(seen.includes(after), "the purchase after it is not seen");
	assert.equal(seen.filter((id) => id === before).length, 701);
});

// Of enum Behaviour of the contract that buys.
const BURN_GAS = 2;
const SHOUT = 5;

// A session whose buyer, to whom a settlement of it alone hands the refund, is a contract.
async function bought_by_contract(s, changes = {}) {
	const wallet = await s.chain.deploy(mocks().Actor);
	const order = await s.f.order(changes);
	const data = s.f.escrow.interface.encodeFunctionData("createSession", Fixture.args(order));
	await s.chain.send(wallet, s.f.buyer, "run", [s.f.escrow.target, data], { value: 10n * PRICE });
	return { wallet, id: await s.f.escrow.sessionIdOf(wallet.target, order.salt) };
}

scenario("a buyer that fills the receipt of its settlement with a log of its own holds up neither it nor what follows", async (s) => {
	const { wallet, id } = await bought_by_contract(s);
	await s.chain.send(wallet, s.f.buyer, "set", [SHOUT, ethers.ZeroAddress, "0x"]);
	const loud = await s.request(id, 5n * GB);
	await s.queue([loud]);
	s.pump(30);
	const result = await s.finish();
	assert.doesNotMatch(result.err, /^fault /m);
	const receipt = await s.chain.receipt((await s.list()).items[0].txId);
	assert.ok(receipt.logs.some((log) => log.address.toLowerCase() === wallet.target.toLowerCase() && log.data.length > 6000));
	const next = await s.sessions(1);
	await s.queue(next);
	await s.finish();
	await s.assertSettledOnce([loud, ...next]);
});

// How a session comes to be settled alone, with the push of its refund.
const ALONE = {
	finalize: { request: (s, id) => s.request(id, 5n * GB) },
	execute: {
		order: { mode: 2 },
		prepare: async (s, id) => {
			await s.f.send(s.f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
			await s.chain.advance(2 * 86400);
		},
		request: (s, id) => s.request(id, 5n * GB, { kind: Kind.execute, voucher: NO_VOUCHER }),
	},
	finalize_attested: {
		order: { mode: 1 },
		request: async (s, id) => s.request(id, 5n * GB,
			{ kind: Kind.finalizeAttested, voucher: NO_VOUCHER, attestation: await s.f.attestation(id, 5n * GB) }),
	},
};

for (const [name, { order, prepare, request }] of Object.entries(ALONE)) {
	scenario(`a buyer that takes its refund cheaply until ${name} is sent, and then burns gas, does not make it fail`, async (s) => {
		// The credits of operator and treasury stand already: what is written then costs little.
		const [before] = await s.sessions(1);
		await s.f.finalize(before.id, before.bytes);
		const { wallet, id } = await bought_by_contract(s, order);
		await prepare?.(s, id);
		await s.queue([await request(s, id)]);
		await s.automine(false);
		const run = s.startRun();
		await until("a pending transaction", async () => (await s.pending()) > 0);
		// In the same block, and before it.
		await s.chain.rpc("eth_sendTransaction", {
			...s.chain.request(wallet, s.f.buyer, "set", [BURN_GAS, ethers.ZeroAddress, "0x"]),
			gas: "0x186a0", maxFeePerGas: "0x2540be4000", maxPriorityFeePerGas: "0x2540be400",
		});
		s.pump(30);
		const result = await run.ended;
		assert.equal(result.status, 0, result.err);
		assert.doesNotMatch(result.err, /alert reverted/);
		const { items, txs } = await s.list();
		assert.deepEqual(items.map((i) => [i.session, i.state, i.skips]), [[id, "done", 0]]);
		assert.deepEqual(txs.map((t) => t.state), ["done"]);
		assert.deepEqual((await s.events("RefundHeld")).map(({ args }) => args.toArray()), [[id, 5n * PRICE]]);
		assert.equal((await s.settled()).get(id)[0].bytesUsed, 5n * GB);
	});
}
