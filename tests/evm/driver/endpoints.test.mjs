// SPDX-License-Identifier: Apache-2.0
//
// Endpoints that are down, slow or lying, in front of a real node: each lie is named, an honest second endpoint carries the work,
// a liar alone stops it without harm, and when the lie ends everything is settled once. The same for reading events.
import assert from "node:assert/strict";
import { test } from "node:test";
import { delay, GB, PRICE, ROOT, Settlement, start, until } from "./harness.mjs";
import { LIES, Liar } from "./liar.mjs";

// lie → the fault's name that the tool must print. Settlement with the liar first and an honest endpoint second.
const SETTLING = {
	down: "unreachable",
	silent: "timeout",
	http_500: "http_status",
	http_429: "rate_limited",
	html: "invalid_json",
	cut_short: "invalid_json",
	huge: "too_large",
	wrong_id: "bad_envelope",
	no_result: "bad_envelope",
	wrong_chain: "wrong_chain",
	no_receipts: "receipt_missing",
	bad_receipts: "bad_result",
	foreign_receipts: "bad_result",
	receipt_of_no_block: "disagrees",
	no_estimate: "bad_result",
	false_revert: "disagrees",
	absurd_estimate: "bad_result",
	tiny_estimate: "bad_result",
	absurd_tip: "bad_result",
	absurd_base_fee: "disagrees",
	wrong_hash: "bad_result",
	head_back: "head_back",
	head_ahead: null, // it may be the other that is behind: nothing is final before both say so
	poisoned: null, // no session is named here
	swallow: null, // nobody can tell: an honest endpoint is given each transaction too
	short_ranges: null, // no lie
};

// Lies that only a second endpoint betrays, and then nobody knows who of the two it is: neither is believed.
const CONTRADICTED = ["changed_receipts", "receipts_without_logs", "failed_receipts"];

// Alone this one is believed: no other can be asked.
const BELIEVED_ALONE = ["false_revert"];

// Reading: what must be named, and whether one endpoint alone can be caught.
const READING = {
	removed_logs: ["logs_wrong", true],
	logs_twice: ["logs_wrong", true],
	logs_reversed: ["logs_wrong", true],
	logs_of_others: ["logs_wrong", true],
	logs_elsewhere: ["logs_wrong", true],
	logs_of_no_block: [null, true], // what a reorganisation in mid-question looks like: not believed, and nobody's fault
	changed_logs: ["logs_wrong|disagrees", false],
	no_logs: ["disagrees", false],
};

test("every lie has its test", () => {
	assert.deepEqual([...Object.keys(SETTLING), ...CONTRADICTED, ...Object.keys(READING), "none"].sort(), Object.keys(LIES).sort());
});

async function with_liar(lie, run) {
	const s = await Settlement.create();
	const liar = await Liar.start(s.chain.url, lie);
	try {
		await run(s, liar);
	} finally {
		liar.stop();
		await s.close();
	}
}

for (const [lie, fault] of Object.entries(SETTLING)) {
	test(`settling with ${lie} in front and an honest endpoint behind`, () => with_liar(lie, async (s, liar) => {
		const list = await s.sessions(2);
		await s.queue(list);
		s.pump(30);
		const result = await s.run({ rpc: `${liar.url},${s.chain.url}`, timeout_ms: 400, max_ms: 15000, confirmations: 6 });
		assert.ok(liar.calls > 0);
		assert.equal(result.status, 0, result.err);
		if (fault) assert.match(result.err, new RegExp(`^fault (${fault}) http://127.0.0.1:\\d+: `, "m"));
		await s.assertSettledOnce(list);
		assert.deepEqual((await s.list()).items.map((item) => item.skips), [0, 0], "a lie was counted against a session");
	}));
}

for (const lie of Object.keys(SETTLING).filter((name) => !BELIEVED_ALONE.includes(name))) {
	test(`settling with ${lie} alone, for a while`, () => with_liar(lie, async (s, liar) => {
		const list = await s.sessions(2);
		await s.queue(list);
		s.pump(30);
		const run = s.startRun({ rpc: liar.url, timeout_ms: 400, max_ms: 30000 });
		await delay(700);
		liar.lie = "none";
		const result = await run.ended;
		assert.equal(result.status, 0, result.err);
		await s.assertSettledOnce(list);
	}));
}

for (const lie of CONTRADICTED) {
	for (const front of [true, false]) {
		test(`settling with ${lie} ${front ? "in front of" : "behind"} an honest endpoint`, () => with_liar(lie, async (s, liar) => {
			const list = await s.sessions(2);
			await s.queue(list);
			s.pump(30);
			const urls = front ? [liar.url, s.chain.url] : [s.chain.url, liar.url];
			const changes = { rpc: urls.join(), backoff_ms: 200, timeout_ms: 2000 };
			const stuck = await s.run({ ...changes, max_ms: 4000 });
			assert.equal(stuck.status, 3, "one of the two was believed");
			assert.match(stuck.err, /^fault disagrees /m);
			assert.match(stuck.err, /^alert endpoints: /m);
			const { items } = await s.list();
			assert.deepEqual(items.map((item) => [item.state, item.skips]), [["batched", 0], ["batched", 0]], "one of the two was believed");
			liar.lie = "none";
			await s.finish(changes);
			await s.assertSettledOnce(list);
		}));
	}
}

test("what one endpoint takes for final is not, before a second one sees it as deep", () => with_liar("head_ahead", async (s, liar) => {
	const list = await s.sessions(2);
	await s.queue(list);
	const changes = { rpc: `${liar.url},${s.chain.url}`, confirmations: 4, review_polls: 1000 };
	const early = await s.run({ ...changes, max_ms: 2500 });
	assert.equal(early.status, 3, early.err);
	assert.deepEqual((await s.list()).txs.map((t) => t.state), ["mined"]);
	s.pump(30);
	await s.finish(changes);
	await s.assertSettledOnce(list);
}));

for (const front of [true, false]) {
	test(`a settlement by hand that ${front ? "the first" : "the second"} endpoint hides is not decided on`, () => with_liar("no_logs", async (s, liar) => {
		const list = await s.sessions(2);
		const voucher = await s.f.voucher(list[0].id, list[0].bytes);
		await s.f.send(s.f.operator, "finalizeSession", [list[0].id, list[0].bytes, ROOT, voucher]);
		await s.queue(list);
		s.pump(30);
		const urls = front ? [liar.url, s.chain.url] : [s.chain.url, liar.url];
		const changes = { rpc: urls.join(), backoff_ms: 50 };
		const stuck = await s.run({ ...changes, max_ms: 3000 });
		assert.equal(stuck.status, 3, stuck.err);
		assert.match(stuck.err, /^fault disagrees .*logs/m);
		assert.deepEqual((await s.list()).items.map((i) => i.skips), [0, 0]);
		liar.lie = "none";
		await s.finish(changes);
		await s.assertSettledOnce(list);
	}));
}

// Sessions created, topped up and closed, as the tool reads them. kinds: 0 created, 1 topped up, 2 closed, 6 settled
const WANTED = /^event (\d) (0x[0-9a-f]{64}) block \d+ time \d+ bytes (\d+) amount (\d+)$/gm;

function events(out) {
	return [...out.matchAll(WANTED)].map(([, kind, id, bytes, amount]) => ({ kind: Number(kind), id, bytes: BigInt(bytes), amount: BigInt(amount) }));
}

async function some_life(s) {
	const a = await s.f.buy();
	const b = await s.f.buy({ dataGB: 3n });
	await s.f.send(s.f.buyer, "topUp", [a, 2n, 0], { value: 2n * PRICE });
	await s.f.send(s.f.buyer, "closeSession", [b]);
	await s.f.finalize(b, GB);
	await s.chain.rpc("anvil_mine", "0x3");
	return [
		{ kind: 0, id: a, bytes: 10n * GB, amount: 10n * PRICE },
		{ kind: 0, id: b, bytes: 3n * GB, amount: 3n * PRICE },
		{ kind: 1, id: a, bytes: 12n * GB, amount: 2n * PRICE },
		{ kind: 2, id: b, bytes: 0n, amount: 0n },
		{ kind: 6, id: b, bytes: GB, amount: 2n * PRICE },
	];
}
// A claim comes with the finalisation of no earlier claim: the contract emits only what the split test knows.
const relevant = (list) => list.filter((e) => [0, 1, 2, 6].includes(e.kind));

test("reading events in their order, two confirmations deep", () => with_liar("none", async (s, liar) => {
	const expected = await some_life(s);
	const result = await start(s.args({ rpc: `${liar.url},${s.chain.url}` }, "watch", "0")).ended;
	assert.equal(result.status, 0, result.err);
	assert.deepEqual(relevant(events(result.out)), expected);
	// The last block is not read before another stands on it.
	await s.f.buy();
	const again = await start(s.args({}, "watch", "0")).ended;
	assert.equal(relevant(events(again.out)).length, 5);
	await s.chain.rpc("evm_mine");
	const deeper = await start(s.args({}, "watch", "0")).ended;
	assert.equal(relevant(events(deeper.out)).length, 6);
}));

test("purchases at another node of the same escrow are not ours", () => with_liar("none", async (s) => {
	const own = await s.f.buy();
	const other = await s.f.register({ name: "exit-2" }, s.f.stranger);
	await s.f.buy({ nodeId: other });
	const again = await s.f.buy();
	await s.chain.rpc("anvil_mine", "0x3");
	const { out } = await start(s.args({}, "watch", "0")).ended;
	assert.deepEqual(events(out).map((e) => e.id), [own, again]);
}));

test("a reorganisation unwinds what was read and reads the other branch", () => with_liar("none", async (s) => {
	const a = await s.f.buy();
	await s.chain.rpc("anvil_mine", "0x3");
	const base = await s.block();
	const b = await s.f.buy();
	await s.chain.rpc("anvil_mine", "0x3");
	const run = start(s.args({ linger_ms: 4000 }, "watch", "0"));
	await until("both sessions", () => events(run.soFar().out).length === 2);
	await s.chain.rpc("anvil_rollback", (await s.block()) - base);
	const c = await s.f.buy({ dataGB: 4n });
	await s.chain.rpc("anvil_mine", "0x3");
	await until("the other branch", () => events(run.soFar().out).some((e) => e.id === c));
	const { out } = await run.ended;
	const [, to] = /^unwound (\d+)$/m.exec(out);
	assert.ok(Number(to) <= base, `unwound to ${to}, the fork is at ${base}`);
	const seen = out.split("\n").filter((l) => /^(event 0|unwound)/.test(l)).map((l) => l.split(" ")[2] ?? "unwound");
	assert.equal(seen.indexOf(b) >= 0 && seen.indexOf(b) < seen.indexOf("unwound"), true);
	assert.equal(seen.lastIndexOf(c) > seen.indexOf("unwound"), true);
	assert.ok(seen.includes(a));
}));

for (const [lie, [fault, alone]] of Object.entries(READING)) {
	test(`reading with ${lie}`, () => with_liar(lie, async (s, liar) => {
		const expected = await some_life(s);
		const urls = alone ? liar.url : `${s.chain.url},${liar.url}`;
		const run = start(s.args({ rpc: urls, linger_ms: 2500, backoff_ms: 20 }, "watch", "0"));
		await until("a lie", () => liar.lies > 0);
		await delay(100);
		assert.deepEqual(relevant(events(run.soFar().out)), [], "it believed a lie");
		await delay(300);
		liar.lie = "none";
		const result = await run.ended;
		if (fault) assert.match(result.err, new RegExp(`^fault (${fault}) `, "m"));
		assert.deepEqual(relevant(events(result.out)), expected);
	}));
}
