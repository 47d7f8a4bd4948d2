// SPDX-License-Identifier: Apache-2.0
//
// kill -9 at every step of the outbox, by the outbox's own list of steps: whatever the moment, a second run brings every session
// to exactly one settlement. A step without a scenario here fails, and so does a scenario that does not reach its step.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { GB, Kind, NO_VOUCHER, PRICE, ROOT, Settlement, split, TOOL, until } from "./harness.mjs";

const PUMP_MS = 30;

// The first run must end by the failpoint's signal.
function assert_killed(result, step) {
	assert.equal(result.signal, "SIGKILL", `the step ${step} was not reached: status ${result.status}\n${result.err}`);
}

// A settlement without trouble.
async function plain(s, step, list) {
	s.pump(PUMP_MS);
	assert_killed(await s.run({}, { env: { TOLLWIRE_FAILPOINT: step } }), step);
}

// A batch of all three waits for the fee ceiling; one that must not wait comes and takes a place in it.
async function reformed(s, step, list) {
	await s.keepBack(3);
	const late = await s.request(await s.f.buy(), 2n * GB, { deadline: 1 });
	await s.queue([late]);
	list.push(late);
	assert_killed(await s.run({ ceiling: 1, count: 3 }, { env: { TOLLWIRE_FAILPOINT: step } }), step);
	s.pump(PUMP_MS);
	return { count: 3 };
}

// Killed while the item is handed in: the same request again is taken for the same.
async function queueing(s, step, list) {
	assert_killed(await s.queue(list, { env: { TOLLWIRE_FAILPOINT: step } }), step);
	await s.queue(list);
	s.pump(PUMP_MS);
}

// Gas gets dear between broadcast and block: the transaction must be offered again for more.
async function repriced(s, step) {
	await s.automine(false);
	const run = s.startRun({ reprice_ms: 200 }, { env: { TOLLWIRE_FAILPOINT: step } });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	s.pump(PUMP_MS, 100n * 10n ** 9n);
	assert_killed(await run.ended, step);
	s.pump(PUMP_MS);
	return { reprice_ms: 300 };
}

// The block goes away while it is young.
async function unmined(s, step) {
	const run = s.startRun({ confirmations: 60 }, { env: { TOLLWIRE_FAILPOINT: step } });
	await until("a settlement that was seen in a block", () => /^state 1 mined$/m.test(run.soFar().err));
	await s.chain.rpc("anvil_rollback", 1);
	s.pump(PUMP_MS);
	assert_killed(await run.ended, step);
}

// The block goes away after all was done.
async function undone(s, step) {
	const run = s.startRun({ hold: 1 }, { env: { TOLLWIRE_FAILPOINT: step } });
	await until("a settlement in a block", async () => (await s.settled()).size > 0);
	const mined = await s.block();
	await s.chain.rpc("anvil_mine", "0x2");
	await until("done", () => /^state 1 done$/m.test(run.soFar().err));
	await s.chain.rpc("anvil_rollback", (await s.block()) - mined + 1);
	s.pump(PUMP_MS);
	assert_killed(await run.ended, step);
}

// The transaction fails as a whole, because the settler is replaced in front of it.
async function failed(s, step) {
	await s.automine(false);
	const run = s.startRun({}, { env: { TOLLWIRE_FAILPOINT: step } });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	const set = (settler) => s.chain.rpc("eth_sendTransaction", {
		...s.chain.request(s.f.registry, s.f.operator, "setSettler", [s.f.nodeId, settler]),
		gas: "0x30d40", maxFeePerGas: "0x2540be4000", maxPriorityFeePerGas: "0x2540be400",
	});
	await set(s.f.stranger);
	s.pump(PUMP_MS);
	assert_killed(await run.ended, step);
	await s.chain.receipt(await set(s.f.settler));
}

// Its account nonce is used by another transaction: its items go into the next.
async function taken(s, step) {
	await s.automine(false);
	const run = s.startRun({}, { env: { TOLLWIRE_FAILPOINT: step } });
	await until("a pending transaction", async () => (await s.pending()) > 0);
	const nonce = await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest");
	await s.chain.rpc("eth_sendTransaction", {
		from: s.f.settler, to: s.f.settler, nonce, gas: "0x5208", maxFeePerGas: "0x2540be4000", maxPriorityFeePerGas: "0x2540be400",
	});
	s.pump(PUMP_MS);
	assert_killed(await run.ended, step);
}

const SCENARIOS = {
	item_queued: queueing,
	intent_stored: plain,
	reformed_stored: reformed,
	tx_signed: plain,
	raw_stored: plain,
	tx_broadcast: plain,
	sent_stored: plain,
	reprice_signed: repriced,
	reprice_stored: repriced,
	mined_seen: plain,
	mined_stored: plain,
	final_seen: plain,
	done_stored: plain,
	returned_stored: taken,
	failed_stored: failed,
	unmined_stored: unmined,
	undone_stored: undone,
};

const steps = execFileSync(TOOL, ["steps"], { encoding: "utf8" }).trim().split("\n");

test("every scenario belongs to a step", () => {
	assert.deepEqual(Object.keys(SCENARIOS).sort(), [...steps].sort());
});

for (const step of steps) {
	test(`kill -9 at ${step}`, async () => {
		const s = await Settlement.create();
		try {
			const list = await s.sessions(3);
			if (SCENARIOS[step] !== queueing) await s.queue(list);
			const changes = await SCENARIOS[step](s, step, list);
			await s.finish(changes);
			await s.assertSettledOnce(list);
		} finally {
			await s.close();
		}
	});
}

// What becomes of a session by each kind of call, and the event by which the call is done.
const GB3 = 3n * GB;
const KINDS = {
	finalize: { event: "SessionSettled", order: {}, request: (s, id) => s.request(id, GB3) },
	claim: { event: "SessionClaimed", order: {}, request: (s, id) => s.request(id, GB3, { kind: Kind.claim }) },
	propose: {
		event: "SettlementProposed", order: { mode: 2 },
		request: (s, id) => s.request(id, GB3, { kind: Kind.propose, voucher: NO_VOUCHER }),
	},
	execute: {
		event: "SessionSettled", order: { mode: 2 },
		prepare: async (s, id) => {
			await s.f.send(s.f.operator, "proposeSettlement", [id, GB3, ROOT]);
			await s.chain.advance(8 * 86400);
		},
		request: (s, id) => s.request(id, GB3, { kind: Kind.execute, voucher: NO_VOUCHER }),
	},
	finalize_attested: {
		event: "SessionSettled", order: { mode: 1 },
		request: async (s, id) => s.request(id, GB3,
			{ kind: Kind.finalizeAttested, voucher: NO_VOUCHER, attestation: await s.f.attestation(id, GB3) }),
	},
	resolve: {
		event: "SessionSettled", order: { mode: 1 },
		prepare: async (s, id) => {
			await s.f.send(s.f.operator, "proposeSettlement", [id, 4n * GB, ROOT]);
			await s.f.send(s.f.buyer, "dispute", [id, 0n]);
		},
		request: async (s, id) => s.request(id, GB3,
			{ kind: Kind.resolve, voucher: NO_VOUCHER, attestation: await s.f.attestation(id, GB3) }),
	},
};

test("every kind of call has its path", () => {
	assert.deepEqual(Object.keys(KINDS).sort(), Object.keys(Kind).map((k) => k.replace(/A/, "_a")).sort());
});

for (const [kind, { event, order, prepare, request }] of Object.entries(KINDS)) {
	test(`${kind}: kill -9 at one step after the other on its way`, async () => {
		const s = await Settlement.create();
		try {
			const ids = [await s.f.buy(order), await s.f.buy(order)];
			for (const id of ids) await prepare?.(s, id);
			const lines = [];
			for (const id of ids) lines.push(await request(s, id));
			assert_killed(await s.queue(lines, { env: { TOLLWIRE_FAILPOINT: "item_queued" } }), "item_queued");
			await s.queue(lines);
			s.pump(PUMP_MS);
			for (const step of steps.filter((name) => SCENARIOS[name] === plain))
				assert_killed(await s.run({}, { env: { TOLLWIRE_FAILPOINT: step } }), step);
			await s.finish();
			const { items } = await s.list();
			assert.deepEqual(items.map((i) => [i.kind, i.state, i.skips]), ids.map(() => [kind, "done", 0]));
			const told = await s.events(event);
			for (const id of ids) assert.equal(told.filter((e) => e.args.sessionId === id).length, 1, `${event} of ${id}`);
			const earned = event === "SettlementProposed" ? 0n : 2n * split(GB3, 10n * GB, PRICE).operator;
			assert.equal(await s.f.withdrawable(s.f.payout), earned);
			if (event === "SessionSettled") await s.assertSettledOnce(ids.map((id) => ({ id, bytes: GB3 })));
		} finally {
			await s.close();
		}
	});
}
