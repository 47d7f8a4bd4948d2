// SPDX-License-Identifier: Apache-2.0
//
// Settlement under trouble: bad items, dropped and repriced transactions, gas above the ceiling, an empty account, somebody else
// with our key, a full store, a wall clock that goes back, a reorganisation after done, requests that must be refused.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { delay, GB, NO_VOUCHER, PRICE, ROOT, Settlement, split, start, until } from "./harness.mjs";

const GWEI = 10n ** 9n;

// A test with a chain of its own.
function scenario(name, run, options) {
	test(name, async () => {
		const s = await Settlement.create(options);
		try {
			await run(s);
		} finally {
			await s.close();
		}
	});
}

scenario("1,000 sessions in batches of 100 with one bad item in each", async (s) => {
	const termsHash = await s.f.termsHash();
	const good = [];
	const bad = [];
	const all = [];
	await s.automine(false);
	// Bought fifty to a block; the ids are known beforehand.
	for (let i = 0; i < 1000; i++) {
		const order = await s.f.order({ termsHash });
		const id = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
			["uint256", "address", "address", "bytes32"], [s.chain.chainId, s.f.escrow.target, s.f.buyer, order.salt]));
		const args = [order.nodeId, order.dataGB, order.duration, order.mode, order.voucherSigner, order.attestor, order.salt, termsHash];
		const request = s.chain.request(s.f.escrow, s.f.buyer, "createSession", args, { value: 10n * PRICE });
		await s.chain.rpc("eth_sendTransaction", { ...request, gas: "0x7a120" });
		const is_bad = i % 100 === 37;
		const bytes = is_bad ? 10n * GB + 1n : BigInt(i) * 9_999_999n + 1n;
		const item = await s.request(id, bytes);
		(is_bad ? bad : good).push(item);
		all.push(item);
		if (i % 50 === 49) await s.chain.rpc("evm_mine");
	}
	await s.automine(true);
	await s.queue(all);
	s.pump(40);
	await s.finish({ skips_max: 1, max_ms: 600000 });
	const { items, txs } = await s.list();
	assert.equal(txs.length, 10);
	for (const { id } of bad) {
		const item = items.find((i) => i.session === id);
		assert.equal(item.state, "held");
		assert.equal(item.reason, "BytesAboveBought");
	}
	assert.equal((await s.settled()).size, 990);
	await s.assertSettledOnce(good);
});

scenario("a skipped item comes back with its reason and is settled on retry", async (s) => {
	const list = await s.sessions(2);
	// The first is settled by the operator's own hand, with the same voucher: its event is the outcome.
	await s.queue(list);
	await s.f.send(s.f.operator, "finalizeSession",
		[list[0].id, list[0].bytes, ROOT, await s.f.voucher(list[0].id, list[0].bytes)]);
	s.pump(30);
	await s.finish();
	await s.assertSettledOnce(list.slice(1).concat(list[0]));
});

scenario("a held item can be retried", async (s) => {
	// Not yet bought when it is queued: skipped as UnknownSession, held, and settled after the purchase.
	const order = await s.f.order();
	const id = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
		["uint256", "address", "address", "bytes32"], [s.chain.chainId, s.f.escrow.target, s.f.buyer, order.salt]));
	const item = await s.request(id, 5n * GB);
	await s.queue([item]);
	s.pump(30);
	const run = await s.finish({ skips_max: 2 });
	assert.match(run.err, /alert item_held: .*UnknownSession/);
	assert.equal((await s.list()).items[0].state, "held");
	const args = [order.nodeId, order.dataGB, order.duration, order.mode, order.voucherSigner, order.attestor, order.salt, order.termsHash];
	await s.f.send(s.f.buyer, "createSession", args, { value: 10n * PRICE });
	// Told again after a restart, and over once it was retried.
	assert.match((await s.finish()).err, /alert item_held: .*1 settlements are held, the last is 1/);
	assert.equal((await start(s.args({}, "retry", "1")).ended).status, 0);
	await s.finish();
	await s.assertSettledOnce([item]);
	const again = await start(s.args({}, "retry", "1")).ended;
	assert.equal(again.status, 1);
	assert.match(again.err, /is done; only one that is held or queued/);
});

scenario("a dropped broadcast is sent again as the same bytes", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.automine(false);
	const run = s.startRun({ resend_ms: 300 });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	const [hash] = Object.values((await s.chain.rpc("txpool_content")).pending).flatMap((t) => Object.values(t).map((x) => x.hash));
	await s.chain.rpc("anvil_dropAllTransactions");
	await until("the same transaction again", async () =>
		JSON.stringify(await s.chain.rpc("txpool_content")).includes(hash));
	s.pump(30);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.equal((await s.settled()).get(list[0].id)[0].tx, hash);
	await s.assertSettledOnce(list);
});

scenario("a fee spike: nothing above the ceiling, an alert, settled when it is over", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.automine(false);
	const ceiling = 40n * GWEI;
	const run = s.startRun({ resend_ms: 200, reprice_ms: 200, ceiling });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	s.pump(30, 100n * GWEI);
	await until("the alert", () => /alert fee_ceiling: .*(ceiling is|ceiling, which is) 40000000000/.test(run.soFar().err));
	await delay(600);
	await s.pump(0);
	assert.equal((await s.settled()).size, 0);
	await s.chain.rpc("anvil_setNextBlockBaseFeePerGas", ethers.toQuantity(GWEI));
	s.pump(30);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	await s.assertSettledOnce(list);
	const { txs } = await s.list();
	assert.equal(txs.length, 1);
	assert.ok(BigInt(txs[0].maxFee) <= ceiling, `${txs[0].maxFee} is above the ceiling`);
});

scenario("gas above half the ceiling: offered at the ceiling, no alert", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.automine(false);
	const dear = () => s.chain.rpc("anvil_setNextBlockBaseFeePerGas", ethers.toQuantity(30n * GWEI));
	await dear();
	await s.chain.rpc("evm_mine");
	const ceiling = 40n * GWEI;
	const run = s.startRun({ ceiling });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	await dear();
	s.pump(30);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.doesNotMatch(result.err, /alert fee_ceiling/);
	await s.assertSettledOnce(list);
	const { txs } = await s.list();
	assert.deepEqual(txs.map((t) => [t.state, t.attempts, BigInt(t.maxFee)]), [["done", 1, ceiling]]);
});

scenario("a transaction that is too cheap is priced again under the same account nonce", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.automine(false);
	const run = s.startRun({ reprice_ms: 200 });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	s.pump(30, 30n * GWEI);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	await s.assertSettledOnce(list);
	const { txs } = await s.list();
	assert.equal(txs.length, 1);
	assert.ok(txs[0].attempts >= 2, "it was priced once only");
});

scenario("as many prices as can be: the last offers the whole ceiling, and is told by name", async (s) => {
	const list = await s.sessions(1);
	await s.queue(list);
	await s.automine(false);
	const changes = { resend_ms: 1000, reprice_ms: 1 };
	const run = s.startRun({ ...changes, ceiling: 500n * GWEI });
	await until("the alert", () => /alert fee_ceiling: .*transaction 1 offers 500000000000 wei/.test(run.soFar().err));
	run.child.kill("SIGKILL");
	await run.ended;
	const [tx] = (await s.list()).txs;
	assert.deepEqual([tx.attempts, tx.maxFee, tx.nonce], [16, String(500n * GWEI), 0]);
	// Somebody raises the ceiling: there is no room for another price.
	const again = s.startRun(changes);
	await until("the alert", () => /alert attempts: .*at 16 prices.*waits at that price/.test(again.soFar().err));
	s.pump(30);
	const result = await again.ended;
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /calm attempts/);
	await s.assertSettledOnce(list);
});

scenario("somebody else uses the key: told, and settled with the next account nonce", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.automine(false);
	const run = s.startRun({ confirmations: 3 });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	const nonce = await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest");
	await s.chain.rpc("eth_sendTransaction", {
		from: s.f.settler, to: s.f.settler, nonce, gas: "0x5208", maxFeePerGas: "0x2540be4000", maxPriorityFeePerGas: "0x2540be400",
	});
	s.pump(30);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /alert nonce_taken/);
	await s.assertSettledOnce(list);
	const { txs } = await s.list();
	assert.deepEqual(txs.map((t) => t.state), ["dropped", "done"]);
	assert.equal(txs[1].nonce, txs[0].nonce + 1);
});

scenario("an empty account: told, and settled when it holds money", async (s) => {
	const list = await s.sessions(1);
	await s.queue(list);
	await s.chain.rpc("anvil_setBalance", s.f.settler, "0x1");
	s.pump(30);
	const run = s.startRun();
	await until("the alert", () => /alert low_balance: .*holds 1 wei.*send it more/.test(run.soFar().err));
	assert.equal((await s.settled()).size, 0);
	await s.chain.rpc("anvil_setBalance", s.f.settler, ethers.toQuantity(ethers.parseEther("1")));
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /calm low_balance/);
	await s.assertSettledOnce(list);
});

scenario("not the settler any more: told by name, nothing is sent or held, settled when it is again", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	await s.chain.send(s.f.registry, s.f.operator, "setSettler", [s.f.nodeId, s.f.stranger]);
	s.pump(30);
	const run = s.startRun({ skips_max: 1 });
	await until("the alert", () => /alert refused: .*refuses the account: NotOperatorOrSettler/.test(run.soFar().err));
	await delay(500);
	assert.equal(Number(await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest")), 0);
	await s.chain.send(s.f.registry, s.f.operator, "setSettler", [s.f.nodeId, s.f.settler]);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /calm refused/);
	await s.assertSettledOnce(list);
});

scenario("a reorganisation after done", async (s) => {
	const list = await s.sessions(3);
	await s.queue(list);
	const run = s.startRun({ hold: 1 });
	await until("a settlement in a block", async () => (await s.settled()).size > 0);
	const mined = await s.block();
	await s.chain.rpc("anvil_mine", "0x2");
	await until("done", () => /^state 1 done$/m.test(run.soFar().err));
	await s.chain.rpc("anvil_rollback", (await s.block()) - mined + 1);
	assert.equal((await s.settled()).size, 0);
	s.pump(30);
	await until("the alert", () => /alert reorganised/.test(run.soFar().err));
	const result = await run.release();
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /alert reorganised: .*after it was done/);
	await s.assertSettledOnce(list);
});

scenario("final as deep as demanded, not one block before", async (s) => {
	const list = await s.sessions(1);
	await s.queue(list);
	// After ten polls it says that it waits, and the head alone counts: neither makes it final early.
	const changes = { review_polls: 10, confirmations: 5 };
	await s.stuck(changes, /alert needs_review/);
	await s.chain.rpc("anvil_mine", "0x3");
	await s.stuck(changes, /alert needs_review/);
	assert.deepEqual((await s.list()).txs.map((t) => t.state), ["mined"]);
	await s.chain.rpc("anvil_mine", "0x1");
	await s.finish(changes);
	await s.assertSettledOnce(list);
});

scenario("mined again in another block of the same number: told, and confirmed there", async (s) => {
	const list = await s.sessions(1);
	await s.queue(list);
	assert.equal((await s.run({}, { env: { TOLLWIRE_FAILPOINT: "mined_stored" } })).signal, "SIGKILL");
	const mined = await s.block();
	const [{ tx }] = (await s.settled()).get(list[0].id);
	const raw = await s.chain.rpc("eth_getRawTransactionByHash", tx);
	await s.chain.rpc("anvil_rollback", 1);
	await s.chain.rpc("evm_increaseTime", 5);
	await s.chain.rpc("eth_sendRawTransaction", raw);
	assert.deepEqual([await s.block(), (await s.settled()).size], [mined, 1]);
	s.pump(30);
	const result = await s.finish();
	assert.match(result.err, new RegExp(`alert reorganised: .*block ${mined} with transaction 1 is gone`));
	await s.assertSettledOnce(list);
});

scenario("not final after many polls raises needs_review and goes on", async (s) => {
	const list = await s.sessions(1);
	await s.queue(list);
	const changes = { review_polls: 10, confirmations: 5 };
	const first = s.startRun(changes);
	await until("the alert", () => /alert needs_review/.test(first.soFar().err));
	assert.equal((await s.settled()).size, 1);
	first.child.kill("SIGKILL");
	await first.ended;
	// Told again after a restart.
	const run = s.startRun(changes);
	await until("the alert again", () => /alert needs_review: .*after 10 polls/.test(run.soFar().err));
	s.pump(30);
	const result = await run.ended;
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /calm needs_review/);
	await s.assertSettledOnce(list);
});

scenario("a full store: nothing is sent, told, and settled once there is room", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	const full = { map_mb: 16 };
	assert.equal((await start(s.args(full, "fill")).ended).status, 0);
	s.pump(30);
	await s.stuck(full, /alert store: /);
	assert.equal((await s.settled()).size, 0);
	const refused = await start(s.args(full, "queue"), { input: (await s.sessions(1))[0].line + "\n" }).ended;
	assert.equal(refused.status, 2);
	await s.finish();
	await s.assertSettledOnce(list);
});

scenario("a store that fills up between sending and noting it: sent once", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	s.pump(30);
	assert.equal((await s.run({}, { env: { TOLLWIRE_FAILPOINT: "tx_broadcast" } })).signal, "SIGKILL");
	const full = { map_mb: 16 };
	assert.equal((await start(s.args(full, "fill")).ended).status, 0);
	await s.stuck(full, /alert store: /);
	await s.finish();
	await s.assertSettledOnce(list);
});

scenario("the wall clock goes back by a year: told, and nothing else", async (s) => {
	const list = await s.sessions(2);
	await s.queue(list);
	s.pump(30);
	const result = await s.run({ clock_jump_sec: 31536000, linger_ms: 2000, confirmations: 3 });
	assert.equal(result.status, 0, result.err);
	assert.match(result.err, /alert clock_skew: -315/);
	await s.assertSettledOnce(list);
});

scenario("requests that must be refused", async (s) => {
	const [a, b] = await s.sessions(2, { bytes: 5n * GB });
	const voucher = await s.f.voucher(a.id, 5n * GB);
	const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
	const low = ethers.Signature.from({ r: voucher.r, yParityAndS: voucher.vs });
	const other = ethers.Wallet.createRandom();
	const rows = [
		["bad_voucher", await s.request(b.id, 5n * GB, { voucher })], // another session's
		["bad_voucher", await s.request(a.id, 5n * GB, { voucher: await s.f.voucher(a.id, 5n * GB, other) })],
		["bad_voucher", await s.request(a.id, 5n * GB, {
			voucher: await s.f.voucher(a.id, 5n * GB, undefined, { ...s.f.domain, chainId: 1 }) })],
		["bad_voucher", await s.request(a.id, 5n * GB, {
			voucher: await s.f.voucher(a.id, 5n * GB, undefined, { ...s.f.domain, verifyingContract: s.f.registry.target }) })],
		// (r, n - s) with the other parity: the top bit of vs cannot even say it for most s; what is left must not verify.
		["bad_voucher", await s.request(a.id, 5n * GB, {
			voucher: { ...voucher, vs: ethers.toBeHex((order - BigInt(low.s)) | (BigInt(1 - low.yParity) << 255n), 32) } })],
		["bad_voucher", await s.request(a.id, 5n * GB, { voucher: { ...voucher, cumulativeBytes: 6n * GB } })],
		["bad_voucher", await s.request(a.id, 5n * GB, { voucher, signer: ethers.ZeroAddress })],
		["bytes_above_voucher", await s.request(a.id, 5n * GB + 1n, { voucher })],
		["no_id", await s.request(ethers.ZeroHash, 0n, { voucher: NO_VOUCHER })],
		["bad_kind", await s.request(a.id, 5n * GB, { kind: 6 })],
	];
	for (const [refusal, request] of rows) {
		const result = await s.queue([request], { mayFail: true });
		assert.equal(result.status, 2, refusal);
		assert.match(result.out, new RegExp(`refused settlement refused \\(${refusal}\\)`));
		assert.match(result.out, new RegExp(`refusals ${refusal} 1`));
	}
	assert.equal((await s.list()).items.length, 0);
	// The same request twice is one item; another content for the same session is refused.
	await s.queue([a, a]);
	const changed = await s.queue([await s.request(a.id, 4n * GB)], { mayFail: true });
	assert.match(changed.out, /refused settlement refused \(changed\)/);
	assert.equal((await s.list()).items.length, 1);
	s.pump(30);
	await s.finish();
	await s.assertSettledOnce([a]);
});
