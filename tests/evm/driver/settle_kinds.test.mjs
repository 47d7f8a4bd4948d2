// SPDX-License-Identifier: Apache-2.0
//
// The ways to settle other than a voucher at the end, each through the outbox on a real chain: claims before the end, proposals
// and their execution, the attestor's word at once and after a dispute.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { GB, Kind, NO_VOUCHER, PRICE, ROOT, Settlement, split, start } from "./harness.mjs";
import { Liar } from "./liar.mjs";

const ATTESTED = { mode: 1 };
const OPTIMISTIC = { mode: 2 };
const WEEK = 7 * 86400;

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

const attested = async (s, id, bytes, changes = {}) =>
	s.request(id, bytes, {
		kind: Kind.finalizeAttested, voucher: NO_VOUCHER, attestation: await s.f.attestation(id, bytes), ...changes });

scenario("a claim secures what a voucher covers; the end pays the rest", async (s) => {
	const id = await s.f.buy();
	s.pump(30);
	await s.queue([await s.request(id, 2n * GB, { kind: Kind.claim })]);
	await s.finish();
	assert.equal(await s.f.withdrawable(s.f.payout), split(2n * GB, 10n * GB, PRICE).operator);
	const claimed = (await s.list()).items[0];
	assert.deepEqual([claimed.kind, claimed.state, claimed.bytes], ["claim", "done", Number(2n * GB)]);
	// The same and an older voucher are no further claim, a newer one is.
	await s.queue([await s.request(id, 2n * GB, { kind: Kind.claim }), await s.request(id, GB, { kind: Kind.claim })]);
	assert.equal((await s.list()).items.length, 1);
	await s.queue([await s.request(id, 3n * GB, { kind: Kind.claim })]);
	await s.finish();
	await s.queue([await s.request(id, 5n * GB)]);
	await s.finish();
	assert.deepEqual((await s.list()).items.map((i) => [i.kind, i.state]),
		[["claim", "done"], ["claim", "done"], ["finalize", "done"]]);
	await s.assertSettledOnce([{ id, bytes: 5n * GB }]);
	const late = await s.queue([await s.request(id, 6n * GB, { kind: Kind.claim })], { mayFail: true });
	assert.match(late.out, /refused \(over\)/);
});

scenario("the attestor's word settles at once, before a proposal and after it", async (s) => {
	const list = [];
	for (const bytes of [4n * GB, 7n * GB + 1n]) list.push({ id: await s.f.buy(ATTESTED), bytes });
	s.pump(30);
	await s.queue([await s.request(list[0].id, 9n * GB, { kind: Kind.propose, voucher: NO_VOUCHER })]);
	await s.finish();
	await s.queue([await attested(s, list[0].id, list[0].bytes), await attested(s, list[1].id, list[1].bytes)]);
	await s.finish();
	await s.assertSettledOnce(list);
	assert.deepEqual((await s.list()).items.map((i) => i.kind), ["propose", "finalize_attested", "finalize_attested"]);
});

scenario("a dispute is settled by the attestor's word", async (s) => {
	const id = await s.f.buy(ATTESTED);
	s.pump(30);
	await s.queue([await s.request(id, 8n * GB, { kind: Kind.propose, voucher: NO_VOUCHER })]);
	await s.finish();
	await s.f.send(s.f.buyer, "dispute", [id, GB]);
	await s.queue([await attested(s, id, 6n * GB, { kind: Kind.resolve })]);
	await s.finish();
	await s.assertSettledOnce([{ id, bytes: 6n * GB }]);
});

const propose = (s, id, bytes, changes = {}) => s.request(id, bytes, { kind: Kind.propose, voucher: NO_VOUCHER, ...changes });
const execute = (s, id, bytes) => s.request(id, bytes, { kind: Kind.execute, voucher: NO_VOUCHER });

// The items of a session as [kind, state, skips].
const told = async (s, id) => (await s.list()).items.filter((i) => i.session === id).map((i) => [i.kind, i.state, i.skips]);

scenario("batches of proposals and executions; in voucher mode a proposal is refused and the others stand", async (s) => {
	const list = [];
	for (let i = 0; i < 8; i++) list.push({ id: await s.f.buy(OPTIMISTIC), bytes: BigInt(i) * GB + 7n });
	const voucher_mode = await s.f.buy();
	const unknown = ethers.id("nobody bought this");
	const all = list.map(({ id, bytes }) => propose(s, id, bytes));
	await s.queue(await Promise.all([...all.slice(0, 4), propose(s, voucher_mode, GB), propose(s, unknown, GB), ...all.slice(4)]));
	s.pump(30);
	const result = await s.finish({ skips_max: 1 });
	assert.match(result.err, /alert item_held: /);
	let { items, txs } = await s.list();
	assert.deepEqual(txs.map((t) => [t.state, t.items]), [["done", 10]]);
	assert.deepEqual(items.filter((i) => i.state === "held").map((i) => [i.session, i.reason]),
		[[voucher_mode, "WrongMode"], [unknown, "UnknownSession"]]);
	// One is executed by its buyer first, one is over in time like the rest, one was executed by a stranger.
	await s.f.send(s.f.buyer, "execute", [list[0].id]);
	await s.chain.advance(2 * 86400);
	await s.f.send(s.f.stranger, "execute", [list[1].id]);
	await s.queue(await Promise.all(list.map(({ id, bytes }) => execute(s, id, bytes))));
	await s.finish();
	await s.assertSettledOnce(list);
	({ items, txs } = await s.list());
	assert.deepEqual(txs.map((t) => [t.state, t.items]), [["done", 10], ["done", 8]]);
	assert.ok(items.every((i) => i.kind !== "execute" || i.skips === 0));
});

scenario("executed too early: it waits for the end of the window, and that counts as nothing", async (s) => {
	const id = await s.f.buy(OPTIMISTIC);
	s.pump(30);
	await s.queue([await propose(s, id, 3n * GB)]);
	await s.finish();
	await s.queue([await execute(s, id, 3n * GB)]);
	// Tried once, and put back.
	await s.halt({ skips_max: 1 }, ({ items, txs }) => txs.length === 2 && items[1].state === "queued");
	assert.deepEqual(await told(s, id), [["propose", "done", 0], ["execute", "queued", 0]]);
	await s.chain.advance(2 * 86400);
	await s.finish({ skips_max: 1 });
	await s.assertSettledOnce([{ id, bytes: 3n * GB }]);
	// One proposal, one execution that was passed over, one that was not: nothing was tried in between.
	assert.equal((await s.list()).txs.length, 3);
});

scenario("a dispute in between: a newer voucher is claimed, the rest executed when nobody resolves it", async (s) => {
	const id = await s.f.buy(OPTIMISTIC);
	s.pump(30);
	await s.queue([await propose(s, id, 8n * GB)]);
	await s.finish();
	await s.queue([await execute(s, id, 8n * GB)]);
	await s.f.send(s.f.buyer, "dispute", [id, GB]);
	// Tried and put back, once or, where the dispute was heard of in between, twice.
	await s.halt({ skips_max: 1 }, ({ items, txs }) => txs.length >= 2 && items[1].state === "queued");
	assert.deepEqual(await told(s, id), [["propose", "done", 0], ["execute", "queued", 0]]);
	await s.queue([await s.request(id, 3n * GB, { kind: Kind.claim })]);
	await s.halt({ skips_max: 1 }, ({ items }) => items[2].state === "done" && items[1].state === "queued");
	assert.deepEqual(await told(s, id), [["propose", "done", 0], ["execute", "queued", 0], ["claim", "done", 0]]);
	assert.equal((await s.f.session(id)).claimedBytes, 3n * GB);
	await s.chain.advance(WEEK + 60);
	await s.finish({ skips_max: 1 });
	await s.assertSettledOnce([{ id, bytes: 3n * GB }]);
});

scenario("the attestor's word that a dispute overtook is carried to the dispute", async (s) => {
	const id = await s.f.buy(ATTESTED);
	s.pump(30);
	await s.queue([await propose(s, id, 8n * GB)]);
	await s.finish();
	await s.f.send(s.f.buyer, "dispute", [id, GB]);
	await s.queue([await attested(s, id, 6n * GB)]);
	await s.finish({ skips_max: 1 });
	await s.assertSettledOnce([{ id, bytes: 6n * GB }]);
	assert.deepEqual(await told(s, id), [["propose", "done", 0], ["resolve", "done", 0]]);
	assert.equal(Number(await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest")), 2, "a call that would fail was sent");
});

scenario("the attestor's word that comes too late: executed at what was accepted", async (s) => {
	const id = await s.f.buy(ATTESTED);
	s.pump(30);
	await s.queue([await propose(s, id, 8n * GB)]);
	await s.finish();
	await s.f.send(s.f.buyer, "dispute", [id, 2n * GB]);
	await s.chain.advance(WEEK + 60);
	await s.queue([await attested(s, id, 6n * GB, { kind: Kind.resolve })]);
	await s.finish({ skips_max: 1 });
	await s.assertSettledOnce([{ id, bytes: 2n * GB }]);
});

scenario("attested sessions that somebody else settled are done by that event; nothing is sent", async (s) => {
	const id = await s.f.buy(ATTESTED);
	s.pump(30);
	await s.f.send(s.f.operator, "finalizeAttested", [id, 4n * GB, ROOT, await s.f.attestation(id, 4n * GB)]);
	await s.queue([await attested(s, id, 4n * GB)]);
	await s.finish({ skips_max: 1 });
	await s.assertSettledOnce([{ id, bytes: 4n * GB }]);
	assert.equal(Number(await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest")), 0);
});

scenario("a proposal for what its buyer took back is the session's end", async (s) => {
	const id = await s.f.buy(OPTIMISTIC);
	s.pump(30);
	await s.chain.advance(3 * 86400);
	await s.f.send(s.f.buyer, "reclaim", [id]);
	await s.queue([await propose(s, id, 4n * GB)]);
	await s.finish({ skips_max: 1 });
	await s.assertSettledOnce([{ id, bytes: 0n }]);
	const late = await s.queue([await propose(s, id, 4n * GB)], { mayFail: true });
	assert.match(late.out, /refused \(over\)/);
});

scenario("a claim that was overtaken is done, one that is refused is held with its reason", async (s) => {
	const [first, second] = [await s.f.buy(), await s.f.buy()];
	s.pump(30);
	await s.f.claim(first, 5n * GB); // by hand, for more
	const stranger = ethers.id("nobody bought this");
	await s.queue([
		await s.request(first, 2n * GB, { kind: Kind.claim }), await s.request(stranger, GB, { kind: Kind.claim }),
		await s.request(second, GB, { kind: Kind.claim })]);
	await s.finish({ skips_max: 2 });
	const { items } = await s.list();
	assert.deepEqual(items.map((i) => [i.state, i.reason]), [["done", ""], ["held", "UnknownSession"], ["done", ""]]);
	assert.equal(items[0].bytes, Number(5n * GB));
});

scenario("a held end takes a newer voucher; another content for what is under way or done is refused", async (s) => {
	const id = await s.f.buy();
	s.pump(30);
	await s.f.claim(id, 5n * GB); // by hand: the voucher that is queued is older
	await s.queue([await s.request(id, 3n * GB)]);
	await s.finish({ skips_max: 1 });
	assert.deepEqual(await told(s, id), [["finalize", "held", 1]]);
	assert.equal((await s.list()).items[0].reason, "BytesBelowClaimed");
	const older = await s.queue([await s.request(id, 2n * GB)], { mayFail: true });
	assert.match(older.out, /refused \(changed\)/);
	await s.queue([await s.request(id, 6n * GB)]);
	assert.deepEqual(await told(s, id), [["finalize", "queued", 0]]);
	await s.finish();
	await s.assertSettledOnce([{ id, bytes: 6n * GB }]);
	const late = await s.queue([await s.request(id, 7n * GB)], { mayFail: true });
	assert.match(late.out, /refused \(changed\)/);
});

scenario("a proposal that nobody was told of gives way to a voucher", async (s) => {
	const id = await s.f.buy(OPTIMISTIC);
	s.pump(30);
	await s.queue([await propose(s, id, 8n * GB), await s.request(id, 8n * GB)]);
	await s.finish();
	assert.deepEqual(await told(s, id), [["propose", "withdrawn", 0], ["finalize", "done", 0]]);
	await s.assertSettledOnce([{ id, bytes: 8n * GB }]);
});

scenario("an item that fails whatever stands beside it is found, and holds nobody up", async (s) => {
	const list = await s.sessions(12);
	const liar = await Liar.start(s.chain.url, "poisoned");
	try {
		liar.state.poison = list[5].id;
		await s.queue(list);
		s.pump(30);
		await s.finish({ rpc: liar.url, skips_max: 2 });
		const { items } = await s.list();
		assert.deepEqual(items.filter((i) => i.state !== "done").map((i) => [i.session, i.state, i.skips]), [[list[5].id, "held", 2]]);
		assert.ok(items.every((i) => i.session === list[5].id || i.skips === 0), "it was counted against another one");
		liar.lie = "none";
		await start(s.args({}, "retry", "6")).ended;
		await s.finish();
		await s.assertSettledOnce(list);
	} finally {
		liar.stop();
	}
});

scenario("a reorganisation after done takes claims, proposals and ends back; all are done again, once", async (s) => {
	const [claimed, proposed, ended] = [await s.f.buy(), await s.f.buy(OPTIMISTIC), await s.f.buy(ATTESTED)];
	await s.queue([
		await s.request(claimed, 2n * GB, { kind: Kind.claim }), await propose(s, proposed, 4n * GB), await attested(s, ended, 5n * GB)]);
	const before = await s.block();
	s.pump(30);
	await s.finish();
	assert.ok((await s.list()).items.every((i) => i.state === "done"));
	await s.pump(0);
	const depth = (await s.block()) - before;
	await s.chain.rpc("anvil_rollback", depth);
	assert.equal((await s.events("SessionClaimed")).length, 0);
	// Another branch, as long: a chain that is merely short is no witness of a reorganisation.
	await s.chain.rpc("anvil_mine", "0x" + (depth + 1).toString(16));
	s.pump(30);
	const result = await s.finish();
	assert.match(result.err, /alert reorganised: .*after it was done/);
	assert.ok((await s.list()).items.every((i) => i.state === "done" && i.skips === 0));
	for (const name of ["SessionClaimed", "SettlementProposed", "SessionSettled"]) assert.equal((await s.events(name)).length, 1, name);
	assert.equal(await s.f.withdrawable(s.f.payout), split(2n * GB, 10n * GB, PRICE).operator + split(5n * GB, 10n * GB, PRICE).operator);
});

scenario("each asset has its own threshold, and none is paid by another's value", async (s) => {
	const price = 500000n; // of a token with six decimals
	const { usd, ids: tokens } = await s.buyForToken(2, price);
	const native = await s.f.buy();
	const value = split(5n * GB, 10n * GB, price).operator;
	const line = (id) => s.request(id, 5n * GB, { asset: usd.target, value });
	await s.queue([await s.request(native, 5n * GB), await line(tokens[0])]);
	s.pump(30);
	// Wei are many: they do not help a token over its threshold.
	const limits = { threshold: 1000n, token: usd.target, token_threshold: 2n * value };
	await s.halt(limits, ({ items }) => items.map((i) => i.state).join() === "done,queued");
	await s.queue([await line(tokens[1])]);
	await s.finish(limits);
	assert.deepEqual((await s.list()).items.map((i) => i.state), ["done", "done", "done"]);
	assert.equal(await s.f.withdrawable(s.f.payout, usd.target), 2n * value);
	assert.equal(await s.f.withdrawable(s.f.payout), split(5n * GB, 10n * GB, PRICE).operator);
});

scenario("attestations that must be refused", async (s) => {
	const id = await s.f.buy(ATTESTED);
	const other = await s.f.buy(ATTESTED);
	const good = await s.f.attestation(id, 5n * GB);
	const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
	const low = ethers.Signature.from({ r: good.r, yParityAndS: good.vs });
	const rows = [
		{ attestation: await s.f.attestation(other, 5n * GB) }, // another session's
		{ attestation: await s.f.attestation(id, 5n * GB + 1n) }, // other bytes
		{ attestation: await s.f.attestation(id, 5n * GB, ethers.ZeroHash) }, // another root
		{ attestation: await s.f.attestation(id, 5n * GB, ROOT, ethers.Wallet.createRandom()) },
		{ attestation: await s.f.attestation(id, 5n * GB, ROOT, undefined, { ...s.f.domain, chainId: 1 }) },
		{ attestation: await s.f.attestation(id, 5n * GB, ROOT, undefined, { ...s.f.domain, verifyingContract: s.f.registry.target }) },
		{ attestation: { r: good.r, vs: ethers.toBeHex((order - BigInt(low.s)) | (BigInt(1 - low.yParity) << 255n), 32) } },
		{ attestation: { r: ethers.ZeroHash, vs: ethers.ZeroHash } },
		{ attestation: good, attestor: ethers.ZeroAddress },
	];
	for (const kind of [Kind.finalizeAttested, Kind.resolve]) {
		for (const [i, row] of rows.entries()) {
			const result = await s.queue([await attested(s, id, 5n * GB, { ...row, kind })], { mayFail: true });
			assert.match(result.out, /refused settlement refused \(bad_attestation\)/, `row ${i}`);
			assert.match(result.out, /refusals bad_attestation 1/);
		}
	}
	for (const voucher of [NO_VOUCHER, await s.f.voucher(id, 0n)]) {
		const result = await s.queue([await s.request(id, GB, { kind: Kind.claim, voucher })], { mayFail: true });
		assert.match(result.out, /refused \(no_voucher\)/);
	}
	assert.equal((await s.list()).items.length, 0);
});
