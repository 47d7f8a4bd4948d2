// SPDX-License-Identifier: Apache-2.0
//
// 1,000 sessions lived through at once, chosen at random: all modes, top-ups, vouchers, ends, closes, expiries, attestations, disputes,
// accepted proposals, with kills of both planes in between. Time is the chain's, injected. In the end escrow = operator + fee + refund
// of each and in total, the credits are their sums, and nobody paid for a byte that was not billed. TOLLWIRE_SEED repeats a run.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { Fixture } from "../fixture.mjs";
import { generator } from "../model.mjs";
import { GB, MB, Mode, PRICE, split, Status, withLife } from "./life.mjs";

const N = Number(process.env.TOLLWIRE_SESSIONS ?? 1000);
const CHUNK = 50;
const DAY = 86400;
const SEED = Number(process.env.TOLLWIRE_SEED ?? Math.floor(Math.random() * 2 ** 32));
console.log(`# TOLLWIRE_SEED=${SEED}`);

const chunks = (list) => Array.from({ length: Math.ceil(list.length / CHUNK) }, (_, i) => list.slice(i * CHUNK, (i + 1) * CHUNK));

// Many calls of the buyer, without waiting for one's receipt before the next.
async function flood(life, calls) {
	await life.s.automine(false);
	for (const part of chunks(calls)) {
		const hashes = [];
		for (const { fn, args, value = 0n } of part) {
			const request = life.chain.request(life.f.escrow, life.f.buyer, fn, args, { value });
			hashes.push(await life.chain.rpc("eth_sendTransaction", { ...request, gas: "0x7a120" }));
		}
		await life.chain.rpc("evm_mine");
		for (const hash of hashes) assert.equal((await life.chain.receipt(hash)).status, "0x1");
	}
	await life.s.automine(true);
}

async function buy(life, random) {
	const terms = { [Mode.attested]: await life.f.termsHash(undefined, life.f.attestor), none: await life.f.termsHash() };
	const sessions = [];
	const calls = [];
	for (let i = 0; i < N; i++) {
		const mode = random.int(3);
		const order = await life.f.order({
			dataGB: 1n, mode, duration: DAY + random.int(DAY), termsHash: terms[mode] ?? terms.none,
		});
		sessions.push({ order, mode, bought: GB, billed: 0n, signed: 0n });
		calls.push({ fn: "createSession", args: Fixture.args(order), value: PRICE });
	}
	await flood(life, calls);
	for (const s of sessions) {
		s.id = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
			["uint256", "address", "address", "bytes32"], [life.chain.chainId, life.f.escrow.target, life.f.buyer, s.order.salt],
		));
	}
	await life.until("all purchases", (all) => all.length === N);
	const seen = new Map((await life.list()).map((s) => [s.session, s.id]));
	for (const s of sessions) s.n = seen.get(s.id);
	return sessions;
}

async function sign(life, s, bytes) {
	if (bytes <= s.signed) return;
	s.signed = bytes;
	assert.equal((await life.voucher(s, bytes)).error, null);
}

// Each session gets its share of traffic: signed for in steps of less than a credit, or not at all.
async function use(life, s, random) {
	const most = s.bought - s.billed;
	let want = random.chance(0.1) ? most : random.below(most / 3n) + 1n;
	if (s.mode === Mode.voucher) {
		await sign(life, s, s.billed + want < s.bought ? s.billed + want : s.bought);
		return want;
	}
	return want;
}

async function traffic(life, sessions, random) {
	const live = sessions.filter((s) => s.connected && !s.ended);
	const wants = new Map();
	for (const s of live) if (random.chance(0.7)) wants.set(s, await use(life, s, random));
	await life.rounds(1); // limits rise
	for (const [s, want] of wants) s.billed += await life.pass(s, want);
	await life.rounds(1);
}

// What the contract says of each.
async function views(life, sessions) {
	const map = new Map();
	for (const part of chunks(sessions)) await Promise.all(part.map(async (s) => map.set(s, await life.f.session(s.id))));
	return map;
}

test(`${N} sessions`, () => withLife({ credit: 1, map_mb: 256, checkpoint: 50000000 }, async (life) => {
	const random = generator(SEED);
	const sessions = await buy(life, random);
	for (const s of sessions) if (random.chance(0.97)) s.connected = (await life.ok("provision", s.n)) !== undefined;
	await life.rounds(2);
	for (const s of sessions) if (s.connected) await life.ok("shake", s.n);
	await traffic(life, sessions, random);

	const before = await views(life, sessions);
	const topped = sessions.filter((s) => random.chance(0.2) && before.get(s).status === Status.open);
	await flood(life, topped.map((s) => ({ fn: "topUp", args: [s.id, 1n, random.int(3600)], value: PRICE })));
	for (const s of topped) s.bought += GB;
	await life.rounds(3);
	await life.restart();
	await life.rounds(2);
	await traffic(life, sessions, random);
	await traffic(life, sessions, random);

	// Some end, some are closed on chain, the rest expires; those that were used up are over already.
	const closed = [];
	const open = await views(life, sessions);
	for (const s of sessions) {
		if (open.get(s).status !== Status.open) continue;
		const fate = random.int(3);
		if (fate === 0) {
			await life.ok("end", s.n);
			s.ended = true;
		} else if (fate === 1 && closed.push(s)) s.ended = true;
	}
	await flood(life, closed.map((s) => ({ fn: "closeSession", args: [s.id] })));
	await life.rounds(3);
	await life.restart();
	await life.rounds(2);
	await life.advance(2 * DAY + 3600);
	await life.until("all are over", (all) => all.every((s) => !["pending", "provisioned", "active", "draining"].includes(s.state)));

	// What was counted stands: nothing was lost by two kills.
	const counted = new Map((await life.list()).map((s) => [s.session, s]));
	for (const s of sessions) assert.equal(counted.get(s.id).used, s.billed, s.id);

	for (const s of sessions.filter((x) => x.mode === Mode.attested && x.billed > 0n)) {
		if (random.chance(0.5) && counted.get(s.id).state === "settling") {
			s.attested = s.billed - random.below(s.billed);
			assert.equal((await life.attest(s, s.attested)).error, null);
		}
	}
	await life.advance(700); // the others' patience
	await life.rounds(6);
	const views_now = await views(life, sessions);
	const now = BigInt(await life.chain.now());
	const proposed = sessions.filter((s) => s.attested === undefined && views_now.get(s).status === Status.proposed && views_now.get(s).deadline > now + 600n);
	assert.ok(proposed.length > N / 20, `${proposed.length} were proposed`);
	const disputes = [];
	const accepted = [];
	for (const s of proposed) {
		if (random.chance(0.2)) {
			s.accepted = random.below(s.billed);
			disputes.push({ fn: "dispute", args: [s.id, s.accepted] });
			if (random.chance(0.5)) await sign(life, s, random.below(s.billed) + 1n);
			else if (s.mode === Mode.attested) s.resolved = s.accepted + random.below(s.billed - s.accepted);
		} else if (random.chance(0.3)) accepted.push({ fn: "execute", args: [s.id] });
	}
	await flood(life, [...disputes, ...accepted]);
	await life.rounds(3);
	for (const s of proposed) if (s.resolved !== undefined) assert.equal((await life.attest(s, s.resolved)).error, null);
	await life.rounds(3);
	await life.restart();
	await life.advance(DAY + 60);
	await life.rounds(6);
	// A claim and a resolution are a transaction each, one after the other.
	for (const s of proposed.filter((x) => x.accepted !== undefined)) {
		const claimed = s.signed < s.billed ? s.signed : s.billed;
		await life.until("claims and resolutions", async () => {
			const seen = await life.f.session(s.id);
			if (s.resolved !== undefined) return seen.status === Status.settled;
			return s.signed <= s.accepted || seen.claimedBytes >= claimed;
		}, 600);
	}
	await life.advance(8 * DAY);
	await life.until("all are settled", (all) => all.every((s) => ["settled", "refunded"].includes(s.state)), 300);

	let escrow = 0n;
	const total = { operator: 0n, fee: 0n, refund: 0n };
	const events = await life.s.settled();
	const max = (...list) => list.reduce((a, b) => (a > b ? a : b));
	for (const s of sessions) {
		const own = events.get(s.id) ?? [];
		assert.equal(own.length, 1, `${s.id} was settled ${own.length} times`);
		let bytes = s.billed;
		if (s.mode === Mode.voucher) bytes = s.signed < s.billed ? s.signed : s.billed;
		else if (s.resolved !== undefined) bytes = s.resolved;
		else if (s.accepted !== undefined) bytes = max(s.accepted, s.signed < s.billed ? s.signed : s.billed);
		else if (s.attested !== undefined) bytes = s.attested;
		const parts = split(bytes, s.bought, PRICE);
		assert.equal(own[0].bytesUsed, bytes, JSON.stringify(s, (_, v) => (typeof v === "bigint" ? `${v}` : v)));
		assert.deepEqual([own[0].operatorAmount, own[0].feeAmount, own[0].refund], [parts.operator, parts.fee, parts.refund]);
		assert.equal(parts.operator + parts.fee + parts.refund, (s.bought * PRICE) / GB);
		escrow += (s.bought * PRICE) / GB;
		total.operator += parts.operator;
		total.fee += parts.fee;
		total.refund += parts.refund;
	}
	assert.equal(total.operator + total.fee + total.refund, escrow);
	assert.equal(await life.f.withdrawable(life.f.payout), total.operator);
	assert.equal(await life.f.withdrawable(life.f.treasury), total.fee);
	const held = BigInt(await life.chain.rpc("eth_getBalance", life.f.escrow.target, "latest"));
	let refundable = 0n;
	for (const part of chunks(sessions)) for (const v of await Promise.all(part.map((s) => life.f.session(s.id)))) refundable += v.held;
	assert.equal(held, total.operator + total.fee + refundable);
	console.log(`# ${sessions.length} sessions, ${topped.length} top-ups, ${closed.length} closes, ${disputes.length} disputes, ${accepted.length} accepted, block ${await life.s.block()}`);
}));
