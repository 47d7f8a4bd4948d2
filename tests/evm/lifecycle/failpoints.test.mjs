// SPDX-License-Identifier: Apache-2.0
//
// kill -9 at every durable step of the lifecycle, by its own list of steps: the data plane dies with it, both are started again, and
// the story goes on where it was. Whatever the moment, every session is settled exactly once, at what was billed and proved. A step
// without a story here fails, and so does a story that does not reach its step.
import assert from "node:assert/strict";
import { test } from "node:test";
import { GB, Life, MB, Mode, PRICE, Status, STEPS } from "./life.mjs";

const DAY = 86400;
const DEATHS_MAX = 6;

class Killed extends Error {}

// A node that is killed by its failpoint, also when it gets there again; what was interrupted is done again after it.
class Mortal extends Life {
	deaths = 0;

	judge(what, answer) {
		if (answer.ended) throw new Killed();
		return super.judge(what, answer);
	}

	// Runs the step of the story, again if the node died in it.
	async survive(fn) {
		try {
			return await fn();
		} catch (e) {
			if (!(e instanceof Killed)) throw e;
			assert.equal(await this.ended, "SIGKILL", this.err);
			this.deaths++;
			await this.start(this.deaths < DEATHS_MAX ? this.failpoint : {});
			return this.survive(fn);
		}
	}

	rounds(n = 3) {
		return this.survive(async () => {
			for (let i = 0; i < n; i++) {
				await this.chain.rpc("evm_mine");
				await this.tick();
			}
		});
	}

	do(...words) {
		return this.survive(() => this.ok(...words));
	}

	async vouch(s, bytes) {
		const v = await this.f.voucher(s.id, bytes);
		await this.do("voucher", s.n, bytes, v.r, v.vs);
	}

	async attested(s, bytes) {
		const { root } = await this.find(s.id);
		const a = await this.f.attestation(s.id, bytes, root);
		await this.do("attest", s.n, bytes, root, a.r, a.vs);
	}

	// A new boot of the data plane begins with an open gate: the client sends until it is closed.
	async fill(s, bytes) {
		let done = 0n;
		for (let i = 0; i < 4; i++) {
			done += await this.pass(s, bytes - done);
			await this.rounds(1);
		}
		return done;
	}

	async proposed(s) {
		await this.until("the proposal", async () => (await this.f.session(s.id)).status === Status.proposed);
		await this.rounds(3);
	}
}

// Waits for a voucher, runs out of patience, is forgotten at last.
async function patience(life) {
	const s = await life.buy();
	await life.connect(s);
	await life.vouch(s, 950n * MB);
	await life.rounds(1);
	let used = await life.fill(s, 920n * MB);
	used += await life.fill(s, 5n * GB);
	assert.equal(used, 951n * MB);
	await life.advance(300);
	await life.rounds(1);
	used += await life.fill(s, MB); // closed, also after a restart
	assert.equal((await life.find(s.id)).is_waiting, true);
	await life.advance(400);
	await life.rounds(2);
	await life.pass(s, MB);
	await life.rounds(2);
	await life.advance(700);
	await life.untilState(s.id, "settled");
	await life.advance(DAY + 60);
	await life.rounds(2);
	return [[s, 950n * MB]];
}

// Ended by the buyer with a credit unsigned; the voucher comes later.
async function late_voucher(life) {
	const s = await life.buy();
	await life.connect(s);
	await life.vouch(s, 10n * MB);
	await life.rounds(1);
	assert.equal(await life.fill(s, 10500n * 1000n), 10500n * 1000n);
	await life.do("end", s.n);
	await life.untilState(s.id, "settling");
	await life.rounds(2);
	await life.vouch(s, 10500n * 1000n);
	await life.untilState(s.id, "settled");
	return [[s, 10500n * 1000n]];
}

async function disputed(life) {
	const s = await life.buy({ mode: Mode.optimistic });
	await life.connect(s);
	assert.equal(await life.fill(s, 80n * MB), 80n * MB);
	await life.do("end", s.n);
	await life.proposed(s);
	await life.vouch(s, 60n * MB);
	await life.f.send(life.f.buyer, "dispute", [s.id, 10n * MB]);
	await life.until("the claim", async () => (await life.f.session(s.id)).claimedBytes === 60n * MB);
	await life.advance(7 * DAY + 60);
	await life.untilState(s.id, "settled");
	return [[s, 60n * MB]];
}

async function attested(life) {
	const s = await life.buy({ mode: Mode.attested });
	await life.connect(s);
	assert.equal(await life.fill(s, 33n * MB), 33n * MB);
	await life.do("end", s.n);
	await life.untilState(s.id, "settling");
	await life.attested(s, 33n * MB);
	await life.untilState(s.id, "settled");
	return [[s, 33n * MB]];
}

// The data plane hangs until the buyer could nearly reclaim.
async function overdue(life) {
	const s = await life.buy();
	await life.connect(s);
	await life.vouch(s, 20n * MB);
	await life.rounds(1);
	assert.equal(await life.fill(s, 20n * MB), 20n * MB);
	await life.do("dp", "freeze");
	await life.f.send(life.f.buyer, "closeSession", [s.id]);
	await life.rounds(3);
	await life.chain.setTime(Number((await life.f.session(s.id)).deadline) - 3 * 3600 + 60);
	await life.untilState(s.id, "settled");
	return [[s, 20n * MB]];
}

// A top-up goes away, then the settlement after it was final.
async function reorganised(life) {
	const s = await life.buy({ mode: Mode.optimistic });
	await life.connect(s);
	const before = await life.s.block();
	await life.f.send(life.f.buyer, "topUp", [s.id, 1n, 0], { value: PRICE });
	await life.until("the top-up", (all) => all[0].limit === 2n * GB);
	await life.survive(() => reorganise(life, before));
	await life.rounds(2);
	assert.equal((await life.find(s.id)).bought, GB);
	assert.equal(await life.fill(s, 40n * MB), 40n * MB);
	await life.do("end", s.n);
	await life.proposed(s);
	await life.advance(2 * DAY);
	const unsettled = await life.s.block();
	await life.untilState(s.id, "settled");
	await life.s.automine(false); // sent again, but in no block for a while
	await life.survive(() => reorganise(life, unsettled));
	await life.survive(() => life.tick());
	await life.survive(() => life.tick());
	await life.s.automine(true);
	await life.advance(DAY);
	await life.untilState(s.id, "settled");
	return [[s, 40n * MB]];
}

async function reorganise(life, block) {
	const depth = (await life.s.block()) - block;
	if (depth > 0) {
		await life.chain.rpc("anvil_rollback", depth);
		await life.chain.rpc("anvil_mine", `0x${(depth + 1).toString(16)}`);
	}
	await life.tick();
}

// The settler is replaced in front of the settlement, which is held then, until a person mends it.
async function held(life) {
	const s = await life.buy();
	await life.connect(s);
	await life.vouch(s, 3n * MB);
	await life.rounds(1);
	assert.equal(await life.fill(s, 3n * MB), 3n * MB);
	await life.s.automine(false);
	await life.do("end", s.n);
	for (let i = 0; i < 10 && (await life.s.pending()) === 0; i++) await life.survive(() => life.tick());
	const set = (settler) => life.chain.rpc("eth_sendTransaction", {
		...life.chain.request(life.f.registry, life.f.operator, "setSettler", [life.f.nodeId, settler]),
		gas: "0x30d40", maxFeePerGas: "0x2540be4000", maxPriorityFeePerGas: "0x2540be400",
	});
	await set(life.f.stranger);
	await life.until("the review", (all) => all[0].reviews !== 0);
	await set(life.f.settler);
	await life.rounds(1);
	await life.s.automine(true);
	await life.do("retry", 1);
	await life.untilState(s.id, "settled");
	assert.equal((await life.find(s.id)).reviews, 0);
	return [[s, 3n * MB]];
}

const STORIES = {
	decided: patience,
	event_stored: patience,
	unwound_stored: reorganised,
	warned_stored: patience,
	waiting_stored: patience,
	ended_stored: patience,
	overdue_stored: overdue,
	final_stored: late_voucher,
	queued_stored: patience,
	claim_stored: disputed,
	execution_stored: disputed,
	review_stored: held,
	outcome_stored: patience,
	reopened_stored: reorganised,
	retired_stored: patience,
	voucher_stored: patience,
	attestation_stored: attested,
};

const steps = STEPS();

test("every story belongs to a step", () => {
	assert.deepEqual(Object.keys(STORIES).sort(), [...steps].sort());
});

for (const step of steps) {
	test(`kill -9 at ${step}`, async () => {
		const life = await Mortal.create(STORIES[step] === held ? { skips_max: 1 } : {});
		try {
			await life.kill();
			life.failpoint = { TOLLWIRE_FAILPOINT: step };
			await life.start(life.failpoint);
			const settled = await STORIES[step](life);
			assert.ok(life.deaths > 0, `the step ${step} was not reached`);
			for (const [s, bytes] of settled) await life.assertSettled(s, bytes);
			await life.assertCredits();
		} finally {
			await life.close();
		}
	});
}
