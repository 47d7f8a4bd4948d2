// SPDX-License-Identifier: Apache-2.0
//
// Every way from purchase to payout in the node's own code on a real chain, the chain's clock advanced: the reference split, vouchers,
// proposals, attestations, disputes, close and reclaim, reorganisations.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Chain } from "../chain.mjs";
import { GB, MB, Mode, PRICE, Status, withLife } from "./life.mjs";

const DAY = 86400;

test("the reference split, by vouchers, ended by the buyer", () => withLife({}, async (life) => {
	const s = await life.buy({}, { gb: 10n });
	await life.connect(s);
	let signed = 0n;
	let used = 0n;
	while (used < 5200n * MB) {
		signed = used < 5199n * MB ? used + 500n * MB : 5199n * MB;
		assert.equal((await life.voucher(s, signed)).error, null);
		await life.rounds(1);
		assert.ok((await life.find(s.id)).limit <= signed + MB);
		const left = 5200n * MB - used;
		used += await life.pass(s, left);
		await life.rounds(1);
	}
	assert.equal(used, 5200n * MB);
	assert.equal((await life.voucher(s, 5200n * MB)).error, null);
	await life.ok("end", s.n);
	await life.untilState(s.id, "settled");
	const own = await life.assertSettled(s, 5200n * MB);
	assert.equal(own.operatorAmount, 5148000000000000n);
	assert.equal(own.feeAmount, 52000000000000n);
	assert.equal(own.refund, 4800000000000000n);
	await life.assertCredits();
}));

test("a gate closed at the credit waits, is shown so, and never ends before the patience", () => withLife({}, async (life) => {
	const s = await life.buy();
	await life.connect(s);
	assert.equal(await life.pass(s, 5n * MB), 1n * MB);
	await life.rounds(3);
	let seen = await life.find(s.id);
	assert.equal(seen.is_waiting, true);
	assert.equal(seen.state, "active");
	await life.voucher(s, 700000n);
	await life.rounds(1);
	seen = await life.find(s.id);
	assert.equal(seen.is_waiting, false);
	assert.equal(seen.limit, 1700000n);
	assert.equal(await life.pass(s, 5n * MB), 700000n);
	await life.rounds(2);
	await life.advance(540);
	await life.rounds(3);
	assert.equal(await life.state(s.id), "active");
	await life.advance(120);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, 700000n); // one credit is lost, no more
	await life.assertCredits();
}));

test("optimistic: proposed, window by block time, executed", () => withLife({}, async (life) => {
	const s = await life.buy({ mode: Mode.optimistic });
	await life.connect(s);
	assert.equal(await life.pass(s, 123456789n), 123456789n);
	await life.ok("end", s.n);
	await life.until("the proposal", async () => (await life.f.session(s.id)).status === Status.proposed);
	await life.rounds(5);
	await life.ok("jump", 40 * DAY); // the host's clock has no say
	await life.rounds(5);
	assert.equal((await life.f.session(s.id)).status, Status.proposed);
	await life.advance(DAY);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, 123456789n);
	await life.assertCredits();
}));

test("attested: the attestor's word settles at once; a wrong one is refused", () => withLife({}, async (life) => {
	const s = await life.buy({ mode: Mode.attested });
	await life.connect(s);
	await life.pass(s, 77n * MB);
	assert.match((await life.attest(s, 77n * MB)).why, /between a session's end/);
	await life.ok("end", s.n);
	await life.untilState(s.id, "settling");
	await life.rounds(3);
	assert.equal((await life.f.session(s.id)).status, Status.open); // waits for the attestor
	assert.match((await life.attest(s, 77n * MB, Chain.wallet(8))).why, /attest/);
	assert.match((await life.attest(s, 2n * GB)).why, /more than was bought/);
	assert.equal((await life.attest(s, 77n * MB)).error, null);
	assert.equal((await life.attest(s, 77n * MB)).error, null); // the same again
	assert.match((await life.attest(s, 76n * MB)).why, /another attestation/);
	await life.untilState(s.id, "settled");
	const own = await life.assertSettled(s, 77n * MB);
	assert.equal(own.path, 1n);
	await life.assertCredits();
}));

test("attested: no word within the patience is a proposal; a late word still settles", () => withLife({}, async (life) => {
	const s = await life.buy({ mode: Mode.attested });
	await life.connect(s);
	await life.pass(s, 50n * MB);
	await life.ok("end", s.n);
	await life.untilState(s.id, "settling");
	await life.advance(700);
	await life.until("the proposal", async () => (await life.f.session(s.id)).status === Status.proposed);
	await life.rounds(3);
	assert.equal((await life.attest(s, 50n * MB)).error, null);
	await life.untilState(s.id, "settled");
	assert.equal((await life.assertSettled(s, 50n * MB)).path, 1n);
	await life.assertCredits();
}));

async function disputed(life, mode, used, accepted, voucher = 0n) {
	const s = await life.buy({ mode });
	await life.connect(s);
	await life.pass(s, used);
	await life.ok("end", s.n);
	await life.untilState(s.id, "settling");
	await life.advance(700);
	await life.until("the proposal", async () => (await life.f.session(s.id)).status === Status.proposed);
	await life.rounds(3);
	if (voucher > 0n) assert.equal((await life.voucher(s, voucher)).error, null);
	await life.f.send(life.f.buyer, "dispute", [s.id, accepted]);
	await life.untilState(s.id, "disputed");
	return s;
}

test("disputed: the newest voucher is claimed at once; executed after the attestor's seven days", () => withLife({}, async (life) => {
	const s = await disputed(life, Mode.optimistic, 80n * MB, 10n * MB, 60n * MB);
	await life.until("the claim", async () => (await life.f.session(s.id)).claimedBytes === 60n * MB);
	await life.voucher(s, 65n * MB); // a newer one is a further claim
	await life.until("the second claim", async () => (await life.f.session(s.id)).claimedBytes === 65n * MB);
	await life.advance(6 * DAY);
	await life.rounds(5);
	assert.equal((await life.f.session(s.id)).status, Status.disputed);
	await life.advance(DAY);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, 65n * MB);
	await life.assertCredits();
}));

test("disputed: the attestor's word resolves", () => withLife({}, async (life) => {
	const s = await disputed(life, Mode.attested, 80n * MB, 10n * MB);
	assert.match((await life.attest(s, 81n * MB)).why, /bought or proposed/);
	assert.match((await life.attest(s, 9n * MB)).why, /less than was paid/);
	assert.equal((await life.attest(s, 79n * MB)).error, null);
	await life.untilState(s.id, "settled");
	assert.equal((await life.assertSettled(s, 79n * MB)).path, 3n);
	await life.assertCredits();
}));

test("disputed without voucher and attestor: what the buyer accepted", () => withLife({}, async (life) => {
	const s = await disputed(life, Mode.optimistic, 80n * MB, 10n * MB);
	await life.advance(7 * DAY + 60);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, 10n * MB);
	await life.assertCredits();
}));

test("an execution that the buyer makes ends it here too", () => withLife({}, async (life) => {
	const s = await life.buy({ mode: Mode.optimistic });
	await life.connect(s);
	await life.pass(s, 5n * MB);
	await life.ok("end", s.n);
	await life.until("the proposal", async () => (await life.f.session(s.id)).status === Status.proposed);
	await life.f.send(life.f.buyer, "execute", [s.id]);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, 5n * MB);
	await life.assertCredits();
}));

test("closed by the buyer: claimed well inside the grace, also with a data plane that hangs", () => withLife({}, async (life) => {
	const quick = await life.buy();
	const stuck = await life.buy();
	for (const s of [quick, stuck]) {
		await life.connect(s);
		await life.voucher(s, 30n * MB);
		await life.rounds(1);
		await life.pass(s, 30n * MB);
	}
	await life.rounds(1);
	await life.f.send(life.f.buyer, "closeSession", [quick.id]);
	await life.untilState(quick.id, "settled");
	await life.assertSettled(quick, 30n * MB);
	await life.ok("dp", "freeze");
	await life.f.send(life.f.buyer, "closeSession", [stuck.id]);
	await life.untilState(stuck.id, "draining");
	const { deadline } = await life.f.session(stuck.id);
	await life.chain.setTime(Number(deadline) - 3 * 3600 - 300);
	await life.rounds(3);
	assert.equal(await life.state(stuck.id), "draining");
	await life.advance(360);
	await life.untilState(stuck.id, "settled");
	assert.ok((await life.chain.now()) < Number(deadline) - 2 * 3600, "well inside the grace");
	await life.assertSettled(stuck, 30n * MB);
	await life.assertCredits();
}));

test("a node that was away until the grace ended takes the buyer's reclaim for the end", () => withLife({}, async (life) => {
	const s = await life.buy();
	await life.connect(s);
	await life.voucher(s, 30n * MB);
	await life.rounds(1);
	await life.pass(s, 30n * MB);
	await life.kill();
	await life.advance(2 * DAY + 60);
	await life.f.send(life.f.buyer, "reclaim", [s.id]);
	await life.start();
	await life.untilState(s.id, "settled", "refunded");
	await life.assertSettled(s, 0n);
	assert.equal(await life.state(s.id), "refunded");
	await life.assertCredits();
}));

test("expired by block time, whatever the host's clock says", () => withLife({}, async (life) => {
	const s = await life.buy({ mode: Mode.optimistic });
	await life.connect(s);
	await life.pass(s, 3n * MB);
	for (const jump of [3650 * DAY, -7300 * DAY, 3650 * DAY]) {
		await life.ok("jump", jump);
		await life.rounds(3);
		assert.equal(await life.state(s.id), "active");
	}
	await life.advance(DAY + 1);
	await life.until("the proposal", async () => (await life.f.session(s.id)).status === Status.proposed);
	await life.advance(DAY + 1);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, 3n * MB);
}));

test("topped up in mid-transfer; one that is reorganised out sets the limit to max(billed, old limit)", () => withLife({}, async (life) => {
	const s = await life.buy({ mode: Mode.optimistic });
	const idle = await life.buy({ mode: Mode.optimistic });
	for (const one of [s, idle]) await life.connect(one);
	assert.equal(await life.pass(s, 900n * MB), 900n * MB);
	const before = await life.s.block();
	for (const one of [s, idle]) await life.f.send(life.f.buyer, "topUp", [one.id, 1n, 3600], { value: PRICE });
	await life.until("the top-ups", (all) => all.every((x) => x.limit === 2n * GB));
	assert.equal(await life.pass(s, 300n * MB), 300n * MB); // beyond the first GB without a pause
	await life.rounds(1);
	await life.reorganise(before);
	await life.rounds(3);
	assert.equal((await life.find(s.id)).bought, GB);
	assert.equal((await life.find(s.id)).quota, 1200n * MB); // what was billed
	assert.equal((await life.find(idle.id)).limit, GB); // the old limit
	assert.equal((await life.find(idle.id)).quota, GB);
	assert.equal(await life.pass(s, 1n * MB), 0n);
	await life.until("the proposal", async () => (await life.f.session(s.id)).status === Status.proposed);
	await life.advance(2 * DAY);
	await life.untilState(s.id, "settled");
	await life.assertSettled(s, GB); // nobody pays for more than was bought
	await life.untilState(idle.id, "refunded");
	await life.assertCredits();
}));

test("a creation that is reorganised out is void, and goes on where it was mined again", () => withLife({}, async (life) => {
	const before = await life.s.block();
	const order = await life.f.order({ dataGB: 1n, mode: Mode.optimistic });
	const send = () => life.f.send(life.f.buyer, "createSession", [order.nodeId, order.dataGB, order.duration, order.mode, order.voucherSigner, order.attestor, order.salt, order.termsHash], { value: PRICE });
	await send();
	const [{ session: id, id: n }] = await life.until("the purchase", (all) => all.length === 1);
	const s = { id, n, bought: GB };
	await life.connect(s);
	await life.pass(s, 9n * MB);
	await life.rounds(1);
	await life.reorganise(before);
	await life.untilState(id, "void");
	assert.equal((await life.find(id)).has_slot, false);
	await send();
	await life.untilState(id, "active");
	assert.equal((await life.find(id)).used, 9n * MB);
	await life.ok("shake", n);
	assert.equal(await life.pass(s, MB), MB);
	await life.ok("end", n);
	await life.until("the proposal", async () => (await life.f.session(id)).status === Status.proposed);
	await life.advance(2 * DAY);
	await life.untilState(id, "settled");
	await life.assertSettled(s, 10n * MB);
}));
