// SPDX-License-Identifier: Apache-2.0
//
// A node of which the tests are the clock: real contracts on a real chain, and life_tool beside it, which does one round when it is
// told to. Money is read from the chain alone.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { ethers } from "ethers";
import { Chain } from "../chain.mjs";
import { Mode, Status } from "../fixture.mjs";
import { GB, PRICE, Settlement, split, TOOL as SETTLE_TOOL } from "../driver/harness.mjs";

export { GB, Mode, PRICE, split, Status };
export const TOOL = join(dirname(SETTLE_TOOL), "../lifecycle/life_tool");
export const MB = 1000000n;
export const STEPS = () => execFileSync(TOOL, ["steps"], { encoding: "utf8" }).trim().split("\n");

const AGAIN = "Resource temporarily unavailable";

export class Life {
	static async create(options = {}) {
		const life = new this();
		life.s = await Settlement.create();
		life.f = life.s.f;
		life.chain = life.s.chain;
		life.options = { ...life.s.options, dir: life.s.dir, skips_max: 10, resend_ms: 1, ...options };
		for (const dir of ["state", "state/former"]) mkdirSync(join(life.s.dir, dir), { mode: 0o700 });
		writeFileSync(join(life.s.dir, "state/usage-signer.key"), Chain.wallet(9).privateKey, { mode: 0o600 });
		try {
			await life.start();
		} catch (e) {
			await life.s.close();
			throw e;
		}
		return life;
	}

	async close() {
		if (this.child) await this.kill();
		await this.s.close();
	}

	// The process; `env` may name a failpoint.
	async start(env = {}) {
		const args = Object.entries(this.options).map(([name, value]) => `${name}=${value}`);
		this.child = spawn(TOOL, args, { env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "pipe"] });
		this.err = "";
		this.child.stderr.setEncoding("utf8").on("data", (data) => (this.err += data));
		this.child.stdin.on("error", () => {});
		this.waiting = [];
		createInterface({ input: this.child.stdout }).on("line", (line) => this.waiting.shift()?.(JSON.parse(line)));
		await once(this.child, "spawn");
		this.ended = new Promise((resolve) => this.child.on("close", (status, signal) => {
			for (const give of this.waiting) give({ ended: signal ?? status });
			this.child = undefined;
			resolve(signal ?? status);
		}));
	}

	async kill() {
		this.child.kill("SIGKILL");
		await this.ended;
	}

	async restart() {
		await this.kill();
		await this.start();
	}

	// What the tool answers; { ended } when it is killed by the command.
	ask(...words) {
		if (!this.child) return { ended: "gone" };
		return new Promise((resolve) => {
			this.waiting.push(resolve);
			this.child.stdin.write(words.join(" ") + "\n");
		});
	}

	async ok(...words) {
		return this.judge(words.join(" "), await this.ask(...words));
	}

	// Rounds, with a block before each.
	async rounds(n = 3) {
		for (let i = 0; i < n; i++) {
			await this.chain.rpc("evm_mine");
			await this.tick();
		}
	}

	// The driver may say "again": the chain moved while it was asked, or showed too much at a time.
	async tick() {
		for (let i = 0; i < 20; i++) {
			const answer = await this.ask("tick");
			if (answer.error !== AGAIN) return this.judge("tick", answer);
		}
		assert.fail(`never read on: ${this.err}`);
	}

	judge(what, answer) {
		assert.equal(answer.ended, undefined, `${what}: ended by ${answer.ended}: ${this.err}`);
		assert.equal(answer.error ?? null, null, `${what}: ${answer.why} ${this.err}`);
		return answer;
	}

	// Rounds until the session (or every one) is so; says where it stands if it never is.
	async until(what, check, n = 60) {
		let last;
		for (let i = 0; i < n; i++) {
			last = check.length > 0 ? await this.list() : undefined;
			if (await check(last)) return last;
			await this.rounds(1);
		}
		assert.fail(`never: ${what}: ${JSON.stringify(last, (_, v) => (typeof v === "bigint" ? `${v}` : v))} ${this.err}`);
	}

	async list() {
		const { sessions } = await this.ok("list");
		return sessions.map((s) => ({ ...s, quota: BigInt(s.quota), used: BigInt(s.used), limit: BigInt(s.limit), bought: BigInt(s.bought ?? 0), voucher: BigInt(s.voucher ?? 0) }));
	}

	async find(id) {
		return (await this.list()).find((s) => s.session === id);
	}

	async state(id) {
		return (await this.find(id))?.state;
	}

	untilState(id, ...states) {
		return this.until(`${id} ${states}`, (all) => states.includes(all.find((s) => s.session === id)?.state));
	}

	// Buys, and has the node see it. Returns { id, n, bought }: on chain, in the node, bytes.
	async buy(order = {}, { gb = 1n } = {}) {
		const id = await this.f.buy({ dataGB: gb, ...order });
		await this.until("the purchase", (all) => all.some((s) => s.session === id));
		return { id, n: (await this.find(id)).id, bought: gb * GB };
	}

	async connect(s) {
		await this.ok("provision", s.n);
		await this.rounds(1);
		await this.ok("shake", s.n);
		await this.rounds(1);
		assert.equal(await this.state(s.id), "active");
	}

	async pass(s, bytes) {
		return BigInt((await this.ok("pass", s.n, bytes)).billed);
	}

	async voucher(s, bytes) {
		const v = await this.f.voucher(s.id, bytes);
		return this.ask("voucher", s.n, bytes, v.r, v.vs);
	}

	async attest(s, bytes, wallet) {
		const { root } = await this.find(s.id);
		const a = await this.f.attestation(s.id, bytes, root, wallet);
		return this.ask("attest", s.n, bytes, root, a.r, a.vs);
	}

	// What stood above the block is gone, and others are mined instead, with nothing in them.
	async reorganise(block) {
		const depth = (await this.s.block()) - block;
		await this.chain.rpc("anvil_rollback", depth);
		await this.chain.rpc("anvil_mine", ethers.toQuantity(depth + 1));
		await this.tick();
	}

	// The chain's clock, not the host's.
	async advance(sec) {
		await this.chain.advance(sec);
	}

	// Settled once on the chain, at these bytes, its parts making the deposit.
	async assertSettled(s, bytes) {
		const own = (await this.s.settled()).get(s.id) ?? [];
		assert.equal(own.length, 1, `${s.id} was settled ${own.length} times`);
		const parts = split(bytes, s.bought, PRICE);
		assert.equal(own[0].bytesUsed, BigInt(bytes));
		assert.equal(own[0].operatorAmount, parts.operator);
		assert.equal(own[0].feeAmount, parts.fee);
		assert.equal(own[0].refund, parts.refund);
		assert.equal(own[0].operatorAmount + own[0].feeAmount + own[0].refund, (s.bought * PRICE) / GB);
		return own[0];
	}

	// Credits of operator and treasury are the sums of what settled, and nothing else.
	async assertCredits() {
		let operator = 0n;
		let fee = 0n;
		for (const events of (await this.s.settled()).values()) {
			for (const e of events) {
				operator += e.operatorAmount;
				fee += e.feeAmount;
			}
		}
		assert.equal(await this.f.withdrawable(this.f.payout), operator, "operator's credits");
		assert.equal(await this.f.withdrawable(this.f.treasury), fee, "treasury's credits");
	}
}

export async function withLife(options, run) {
	const life = await Life.create(options);
	try {
		await run(life);
	} finally {
		await life.close();
	}
}
