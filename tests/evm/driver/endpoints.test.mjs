// SPDX-License-Identifier: Apache-2.0
//
// Endpoints that are down, slow or lying, in front of a real node: each lie is named, an honest second endpoint carries the work,
// a liar alone stops it without harm, and when the lie ends everything is settled once. The same for reading events.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { delay, GB, PRICE, ROOT, Settlement, start, until } from "./harness.mjs";
import { LIES, Liar } from "./liar.mjs";

// lie → the fault's name that the tool must print. Settlement with the liar first and an honest endpoint second.
const SETTLING = {
	down: "unreachable",
	silent: "timeout",
	trickle: "timeout",
	trickle_header: "timeout",
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
	stands_still: "head_back",
	head_ahead: null, // it may be the other that is behind: nothing is final before both say so
	poisoned: null, // no session is named here
	swallow: null, // nobody can tell: an honest endpoint is given each transaction too
	short_ranges: null, // no lie
	behind: null, // no lie: what it has not got yet, it has soon
	far_behind: null,
};

// Lies that only a second endpoint betrays, and then nobody knows who of the two it is: neither is believed.
const CONTRADICTED = ["changed_receipts", "receipts_without_logs", "failed_receipts"];

// Alone this one is believed: no other can be asked.
const BELIEVED_ALONE = ["false_revert"];

// Tested by their own: what was read must not be unread for their sake.
const OF_ANOTHER_TIME = ["other_fork", "clock_ahead", "stale_pool", "long_answers"];

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
	assert.deepEqual([...Object.keys(SETTLING), ...CONTRADICTED, ...Object.keys(READING), ...OF_ANOTHER_TIME, "none"].sort(), Object.keys(LIES).sort());
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

// Nothing but a lie that takes time is to run out of it, however busy the machine is.
const timeoutOf = (fault) => (fault === "timeout" ? 1000 : 30000);

for (const [lie, fault] of Object.entries(SETTLING)) {
	test(`settling with ${lie} in front and an honest endpoint behind`, () => with_liar(lie, async (s, liar) => {
		const list = await s.sessions(2);
		await s.queue(list);
		s.pump(30);
		const result = await s.run({ rpc: `${liar.url},${s.chain.url}`, timeout_ms: timeoutOf(fault), confirmations: 6 });
		assert.ok(liar.calls > 0);
		assert.equal(result.status, 0, result.err);
		if (fault) assert.match(result.err, new RegExp(`^fault (${fault}) http://127.0.0.1:\\d+: `, "m"));
		await s.assertSettledOnce(list);
		assert.deepEqual((await s.list()).items.map((item) => item.skips), [0, 0], "a lie was counted against a session");
	}));
}

// Asked as in a product: a rest is over long before the next round, and what is not spoilt makes the liar look good again.
const SPOILT = ["no_receipts", "bad_receipts", "receipt_of_no_block", "no_estimate", "false_revert", "tiny_estimate", "absurd_tip", "stands_still"];
for (const lie of SPOILT) {
	test(`settling with ${lie} in front, in rounds that are longer than its rests`, () => with_liar(lie, async (s, liar) => {
		const list = await s.sessions(2);
		await s.queue(list);
		s.pump(100);
		const changes = { rpc: `${liar.url},${s.chain.url}`, poll_ms: 150, backoff_ms: 20, timeout_ms: 5000, max_ms: 60000, confirmations: 6 };
		const result = await s.run(changes);
		assert.equal(result.status, 0, result.err);
		assert.match(result.err, new RegExp(`^fault (${SETTLING[lie]}) `, "m"));
		await s.assertSettledOnce(list);
	}));
}

for (const lie of Object.keys(SETTLING).filter((name) => !BELIEVED_ALONE.includes(name))) {
	test(`settling with ${lie} alone, for a while`, () => with_liar(lie, async (s, liar) => {
		const list = await s.sessions(2);
		await s.queue(list);
		s.pump(30);
		const run = s.startRun({ rpc: liar.url, timeout_ms: timeoutOf(SETTLING[lie]) });
		await until("a question", () => liar.calls > 0);
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
			const changes = { rpc: urls.join(), backoff_ms: 200 };
			await s.stuck(changes, [/^fault disagrees /m, /^alert endpoints: /m], 2500);
			const { items } = await s.list();
			assert.deepEqual(items.map((item) => [item.state, item.skips]), [["batched", 0], ["batched", 0]], "one of the two was believed");
			liar.lie = "none";
			await s.finish(changes);
			await s.assertSettledOnce(list);
		}));
	}
}

test("a second endpoint that stands still holds finality up until review is raised, and costs nothing", () => with_liar("stands_still", async (s, liar) => {
	const list = await s.sessions(2);
	const voucher = await s.f.voucher(list[0].id, list[0].bytes);
	await s.f.send(s.f.operator, "finalizeSession", [list[0].id, list[0].bytes, ROOT, voucher]);
	await s.queue(list);
	s.pump(30);
	const result = await s.finish({ rpc: `${s.chain.url},${liar.url}`, confirmations: 6, review_polls: 40 });
	assert.match(result.err, /alert needs_review/);
	assert.equal((await s.list()).txs.length, 1, "what was done by hand was tried again");
	await s.assertSettledOnce(list);
}));

test("what one endpoint takes for final is not, before a second one sees it as deep", () => with_liar("head_ahead", async (s, liar) => {
	const list = await s.sessions(2);
	await s.queue(list);
	const changes = { rpc: `${liar.url},${s.chain.url}`, confirmations: 4, review_polls: 1000 };
	await s.stuck(changes, /^state 1 mined$/m);
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
		await s.stuck(changes, /^fault disagrees .*logs/m);
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
	const run = start(s.args({ hold: 1 }, "watch", "0"));
	await until("both sessions", () => events(run.soFar().out).length === 2);
	await s.chain.rpc("anvil_rollback", (await s.block()) - base);
	const c = await s.f.buy({ dataGB: 4n });
	await s.chain.rpc("anvil_mine", "0x3");
	await until("the other branch", () => events(run.soFar().out).some((e) => e.id === c));
	const { out } = await run.release();
	const [, to] = /^unwound (\d+)$/m.exec(out);
	assert.ok(Number(to) <= base, `unwound to ${to}, the fork is at ${base}`);
	const seen = out.split("\n").filter((l) => /^(event 0|unwound)/.test(l)).map((l) => l.split(" ")[2] ?? "unwound");
	assert.equal(seen.indexOf(b) >= 0 && seen.indexOf(b) < seen.indexOf("unwound"), true);
	assert.equal(seen.lastIndexOf(c) > seen.indexOf("unwound"), true);
	assert.ok(seen.includes(a));
}));

// An endpoint that has not come so far, or stands on a fork of its own, says of a block that was read that it is not there. Nothing is
// undone for it: it is named, and an honest one goes on.
for (const [lie, fault] of [["behind", "head_back"], ["far_behind", "head_back"], ["other_fork", "disagrees"]]) {
	for (const alone of [false, true]) {
		if (alone && lie === "other_fork") continue; // then nobody can know better
		test(`what was read stays read with ${lie} ${alone ? "alone" : "in front"}`, () => with_liar("none", async (s, liar) => {
			await s.chain.rpc("anvil_mine", "0x20");
			const first = await s.f.buy();
			await s.chain.rpc("anvil_mine", "0x3");
			const rpc = alone ? liar.url : `${liar.url},${s.chain.url}`;
			const run = start(s.args({ rpc, hold: 1, backoff_ms: 20 }, "watch", "0"));
			await until("the first", () => events(run.soFar().out).some((e) => e.id === first));
			liar.lie = lie;
			await until("its name", () => new RegExp(`^fault ${fault} `, "m").test(run.soFar().err));
			const second = await s.f.buy();
			await s.chain.rpc("anvil_mine", "0x20");
			liar.lie = "none";
			await until("the second", () => events(run.soFar().out).some((e) => e.id === second));
			await delay(500);
			const { out } = await run.release();
			assert.doesNotMatch(out, /^unwound/m);
			assert.deepEqual(events(out).map((e) => e.id), [first, second]);
		}));
	}
}

// An address that comes to serve another chain in mid-life, with blocks of the same numbers and more.
for (const alone of [true, false]) {
	test(`an endpoint that changes its chain ${alone ? "alone" : "in front"} is named, and undoes nothing`, () => with_liar("none", async (s, liar) => {
		const other = await Settlement.create({ anvil: ["--chain-id", "31338"] });
		const honest = await Liar.start(s.chain.url, "none");
		try {
			const list = await s.sessions(1);
			await s.queue(list);
			s.pump(30);
			await s.finish();
			await s.pump(0);
			// Not so far ahead that what was done is too old to be watched.
			await other.chain.rpc("anvil_mine", ethers.toQuantity((await s.block()) - (await other.block()) + 200));
			const rpc = alone ? liar.url : `${liar.url},${honest.url}`;
			const changes = { rpc, linger_ms: 120000, max_ms: 120000, backoff_ms: 20, timeout_ms: 5000 };
			const reading = start(s.args(changes, "watch", "0"));
			const settling = s.startRun(changes);
			await until("the first", () => events(reading.soFar().out).some((e) => e.id === list[0].id && e.kind === 6));
			const calls = liar.calls;
			await until("both at work", () => liar.calls > calls + 20);
			liar.nodeUrl = other.chain.url;
			for (const run of [reading, settling]) await until("its name", () => /^fault wrong_chain /m.test(run.soFar().err));
			// An honest one goes on, though its head is lower.
			if (alone) liar.nodeUrl = s.chain.url;
			const id = await s.f.buy();
			await s.chain.rpc("anvil_mine", "0x3");
			await until("the second", () => events(reading.soFar().out).some((e) => e.id === id));
			const asked = honest.calls;
			await until("the honest one at work", () => alone || honest.calls > asked + 20);
			for (const run of [reading, settling]) {
				run.child.kill("SIGKILL");
				await run.ended;
			}
			assert.doesNotMatch(reading.soFar().out, /^unwound/m);
			assert.doesNotMatch(settling.soFar().err, /reorganised/);
			if (!alone) assert.doesNotMatch(settling.soFar().err, /behind another endpoint/);
			await s.assertSettledOnce(list);
		} finally {
			honest.stop();
			await other.close();
		}
	}));
}

// A purchase in a block that has come to the one host and not to the other: it waits until it can be read, and is never passed over.
for (const where of ["alone", "in front", "behind"]) {
	test(`a purchase is not passed over for a pool whose hosts are not equally far, ${where}`, () => with_liar("stale_pool", async (s, liar) => {
		await s.chain.rpc("anvil_mine", "0x20");
		const id = await s.f.buy();
		await s.chain.rpc("anvil_mine", "0x3");
		const rpc = { alone: liar.url, "in front": `${liar.url},${s.chain.url}`, behind: `${s.chain.url},${liar.url}` }[where];
		const run = start(s.args({ rpc, hold: 1, backoff_ms: 20 }, "watch", "0"));
		await until("its name", () => /^fault head_back /m.test(run.soFar().err));
		if (where === "alone") assert.deepEqual(events(run.soFar().out), []);
		await s.chain.rpc("anvil_mine", "0x8");
		await until("the purchase", () => events(run.soFar().out).some((e) => e.id === id));
		liar.lie = "none";
		await delay(500);
		const { out, err } = await run.release();
		assert.deepEqual(events(out).map((e) => e.id), [id]);
		assert.doesNotMatch(err, /disagrees/);
	}));
}

// What a busy escrow said in an hour may be more than is read at once: the question is made shorter until the answer fits.
for (const where of ["alone", "in front"]) {
	test(`logs that are too long for one answer are asked for in parts, ${where}`, () => with_liar("long_answers", async (s, liar) => {
		const first = await s.f.buy();
		await s.chain.rpc("anvil_mine", "0x190");
		const second = await s.f.buy();
		await s.chain.rpc("anvil_mine", "0x3");
		const other = await Liar.start(s.chain.url, "long_answers");
		try {
			const rpc = where === "alone" ? liar.url : `${liar.url},${other.url}`;
			const run = start(s.args({ rpc, linger_ms: 60000, backoff_ms: 20, timeout_ms: 2000 }, "watch", "0"));
			await until("both", () => events(run.soFar().out).length === 2);
			run.child.kill("SIGKILL");
			await run.ended;
			assert.match(run.soFar().err, /^fault too_large /m);
			assert.deepEqual(events(run.soFar().out).map((e) => e.id), [first, second]);
		} finally {
			other.stop();
		}
	}));
}

// Done means done: a laggard, or one that lost its receipts, is no reorganisation.
for (const lie of ["behind", "far_behind", "no_receipts", "other_fork"]) {
	test(`a settlement that is done stays done with ${lie}`, () => with_liar("none", async (s, liar) => {
		await s.chain.rpc("anvil_mine", "0x20");
		const list = await s.sessions(2);
		await s.queue(list);
		s.pump(30);
		await s.finish({ confirmations: 3 });
		await s.pump(0);
		liar.lie = lie;
		const rpc = lie === "other_fork" ? `${liar.url},${s.chain.url}` : liar.url;
		const late = await s.run({ rpc, confirmations: 3, linger_ms: 1500, max_ms: 4000, backoff_ms: 20 });
		assert.doesNotMatch(late.err, /reorganised/);
		assert.ok(liar.calls > 0);
		await s.assertSettledOnce(list);
	}));
	test(`a settlement that is mined is not taken back with ${lie}`, () => with_liar("none", async (s, liar) => {
		await s.chain.rpc("anvil_mine", "0x20");
		const list = await s.sessions(2);
		await s.queue(list);
		const urls = lie === "other_fork" ? `${liar.url},${s.chain.url}` : liar.url;
		const run = s.startRun({ rpc: urls, confirmations: 8, backoff_ms: 20 });
		await until("mined", () => /^state 1 mined$/m.test(run.soFar().err));
		await s.chain.rpc("anvil_mine", "0x3");
		liar.lie = lie;
		const before = liar.lies;
		await until("lies", () => liar.lies > before + 3);
		liar.lie = "none";
		s.pump(30);
		const { err, status } = await run.ended;
		assert.equal(status, 0, err);
		assert.doesNotMatch(err, /reorganised/);
		await s.assertSettledOnce(list);
	}));
}

test("a slow endpoint is left at the end of its time, not of its patience", () => with_liar("trickle", async (s, liar) => {
	const began = Date.now();
	const result = await start(s.args({ rpc: liar.url, timeout_ms: 500, linger_ms: 0 }, "watch", "0")).ended;
	assert.match(result.err, /^fault timeout /m);
	// One question, or two; the answer alone would take several seconds a question.
	assert.ok(Date.now() - began < 8000, `${Date.now() - began} ms`);
}));

test("a block time that parts from the host's clock by more than a minute is told, and when it is over", () => with_liar("none", async (s, liar) => {
	await s.queue(await s.sessions(1));
	s.pump(200);
	liar.lie = "clock_ahead";
	const run = s.startRun({ rpc: liar.url, confirmations: 60 });
	// By 75 seconds less the age of the block.
	await until("told", () => /^alert clock_skew: -(6[1-9]|7\d) s$/m.test(run.soFar().err));
	liar.lie = "none";
	await until("over", () => /^calm clock_skew: /m.test(run.soFar().err));
	s.pump(20);
	assert.equal((await run.ended).status, 0);
}));

for (const [lie, [fault, alone]] of Object.entries(READING)) {
	test(`reading with ${lie}`, () => with_liar(lie, async (s, liar) => {
		const expected = await some_life(s);
		const urls = alone ? liar.url : `${s.chain.url},${liar.url}`;
		const run = start(s.args({ rpc: urls, hold: 1, backoff_ms: 20 }, "watch", "0"));
		await until("a lie", () => liar.lies > 0);
		await delay(100);
		assert.deepEqual(relevant(events(run.soFar().out)), [], "it believed a lie");
		await delay(300);
		liar.lie = "none";
		await until("the events", () => relevant(events(run.soFar().out)).length >= expected.length);
		const result = await run.release();
		if (fault) assert.match(result.err, new RegExp(`^fault (${fault}) `, "m"));
		assert.deepEqual(relevant(events(result.out)), expected);
	}));
}
