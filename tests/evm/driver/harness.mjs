// SPDX-License-Identifier: Apache-2.0
//
// What the settlement tests share: a real node with the contracts, sessions that were really bought, vouchers by their signers,
// and settle_tool (the product's outbox on the product's store, with failpoints) as a process of its own. What was settled is
// read from the chain's events and balances, never from the tool.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";
import { Chain, mocks, startChain } from "../chain.mjs";
import { Fixture, GB, NATIVE, NO_PERMIT, NO_VOUCHER, PRICE, ROOT, split } from "../fixture.mjs";

export { delay, GB, NATIVE, PRICE, ROOT, split };

const root = join(dirname(fileURLToPath(import.meta.url)), "../../..");
export const TOOL = join(process.env.TOLLWIRE_BUILD ?? join(root, "build"), "tests/evm/driver/settle_tool");

// Starts the tool; `ended` resolves with { status, signal, out, err }. `child` is there at once, for killing and waiting. One that is
// held (hold=1) goes on until it is released.
export function start(args, { env = {}, input = "" } = {}) {
	const child = spawn(TOOL, args, { env: { ...process.env, ...env } });
	let out = "";
	let err = "";
	child.stdout.setEncoding("utf8").on("data", (data) => (out += data));
	child.stderr.setEncoding("utf8").on("data", (data) => (err += data));
	child.stdin.on("error", () => {});
	if (!args.includes("hold=1")) child.stdin.end(input);
	const ended = new Promise((resolve, reject) => {
		child.on("error", reject);
		child.on("close", (status, signal) => resolve({ status, signal, out, err }));
	});
	return { child, ended, soFar: () => ({ out, err }), release: () => (child.stdin.end(), ended) };
}

// Asks until the answer is true; fails with the text after a minute: nothing here takes that long but on a machine that stands still.
export async function until(what, check, ms = 60000) {
	const end = Date.now() + ms;
	for (;;) {
		const began = Date.now();
		if (await check()) return;
		if (Date.now() > end) assert.fail(`never: ${what}`);
		// A check that runs a program holds up this one, and with it the endpoints that it plays: they get as long.
		await delay(Math.max(20, Date.now() - began));
	}
}

// enum chain_call_kind.
export const Kind = { finalize: 0, propose: 1, execute: 2, claim: 3, finalizeAttested: 4, resolve: 5 };

export class Settlement {
	static async create(options = {}) {
		const s = new Settlement();
		s.chain = await startChain(...(options.anvil ?? []));
		s.f = await Fixture.create(s.chain);
		s.dir = mkdtempSync(join(tmpdir(), "tollwire-settle-"));
		writeFileSync(join(s.dir, "key"), Chain.wallet(3).privateKey, { mode: 0o600 });
		s.options = {
			db: join(s.dir, "db"),
			rpc: s.chain.url,
			chain_id: s.chain.chainId,
			escrow: s.f.escrow.target,
			node: s.f.nodeId,
			key: join(s.dir, "key"),
		};
		s.fromBlock = await s.block();
		return s;
	}

	async close() {
		this.pump(0);
		await this.chain.stop();
		rmSync(this.dir, { recursive: true, force: true });
	}

	async block() {
		return Number(await this.chain.rpc("eth_blockNumber"));
	}

	// Mines a block every so many ms, with whatever is pending; 0 stops, and is awaited: no block is on its way then. One at a time,
	// so that a node that stood still does not mine all at once what it missed. With a base fee, each block has that.
	pump(ms, baseFee) {
		this.stopPump?.();
		const before = this.pumping;
		if (ms === 0) return before;
		let goes = true;
		this.stopPump = () => (goes = false);
		this.pumping = (async () => {
			await before;
			while (goes) {
				try {
					if (baseFee) await this.chain.rpc("anvil_setNextBlockBaseFeePerGas", ethers.toQuantity(baseFee));
					await this.chain.rpc("evm_mine");
				} catch {
					// The node is busy, or is just being ended.
				}
				await delay(ms);
			}
		})();
		return before;
	}

	automine(on) {
		return this.chain.rpc("evm_setAutomine", on);
	}

	async pending() {
		return Number((await this.chain.rpc("txpool_status")).pending) + Number((await this.chain.rpc("txpool_status")).queued);
	}

	args(changes, ...command) {
		return [...Object.entries({ ...this.options, ...changes }).map(([name, value]) => `${name}=${value}`), ...command];
	}

	// Sessions with random use: [{ id, bytes, line }]; one line is what `queue` reads.
	async sessions(n, make = {}) {
		const list = [];
		for (let i = 0; i < n; i++) {
			const id = await this.f.buy(make.order);
			const bytes = make.bytes ?? BigInt(Math.floor(Math.random() * 9e9)) + 1n;
			list.push(await this.request(id, bytes));
		}
		return list;
	}

	// A token that the node sells for, and n sessions of ten GB that were paid in it.
	async buyForToken(n, pricePerGB) {
		const usd = await this.chain.deploy(mocks().Stablecoin);
		const cost = 10n * pricePerGB;
		await this.chain.send(this.f.registry, this.f.operator, "setPrice", [this.f.nodeId, usd.target, pricePerGB]);
		await this.chain.send(usd, this.f.buyer, "mint", [this.f.buyer, BigInt(n) * cost]);
		await this.chain.send(usd, this.f.buyer, "approve", [this.f.escrow.target, BigInt(n) * cost]);
		const ids = [];
		for (let i = 0; i < n; i++) {
			const { asset, ...order } = await this.f.order({ asset: usd.target });
			const receipt = await this.f.send(this.f.buyer, "createSessionWithToken", [order, usd.target, cost, NO_PERMIT]);
			ids.push(receipt.events.find((e) => e.name === "SessionCreated").args.sessionId);
		}
		return { usd, ids };
	}

	async request(id, bytes, changes = {}) {
		const voucher = changes.voucher ?? (await this.f.voucher(id, changes.voucherBytes ?? bytes));
		const attestation = changes.attestation ?? { r: ethers.ZeroHash, vs: ethers.ZeroHash };
		const line = [changes.kind ?? 0, id, bytes, ROOT, voucher.cumulativeBytes, voucher.r, voucher.vs,
			changes.signer ?? this.f.voucherSigner, changes.value ?? split(bytes, 10n * GB, PRICE).operator, changes.deadline ?? 0,
			attestation.r, attestation.vs, changes.attestor ?? this.f.attestor, changes.asset ?? NATIVE].join(" ");
		return { id, bytes, line };
	}

	async queue(list, options = {}) {
		const result = await start(this.args({}, "queue"), { input: list.map((s) => s.line + "\n").join(""), ...options }).ended;
		if (!options.env && !options.mayFail) assert.equal(result.status, 0, result.out + result.err);
		return result;
	}

	startRun(changes = {}, options = {}) {
		return start(this.args(changes, "run"), options);
	}

	async run(changes = {}, options = {}) {
		return this.startRun(changes, options).ended;
	}

	// The next batch is formed, and not signed, since gas is dearer than the ceiling. The tool is gone afterwards.
	async keepBack(count) {
		await this.stuck({ ceiling: 1, count }, /alert fee_ceiling: /, 0);
	}

	// Runs until what it says matches all of these, and a while on, in which it must not come to its end. Resolves with what it said.
	async stuck(changes, wanted, ms = 1500) {
		const run = this.startRun({ ...changes, max_ms: 600000 });
		const wants = [wanted].flat();
		await until(`${wants}`, () => {
			assert.equal(run.child.exitCode, null, `it came to its end: ${run.soFar().err}`);
			return wants.every((want) => want.test(run.soFar().err));
		}).catch((error) => assert.fail(`${error.message}: ${run.soFar().err}`));
		await delay(ms);
		assert.equal(run.child.exitCode, null, `it came to its end: ${run.soFar().err}`);
		run.child.kill("SIGKILL");
		await run.ended;
		return run.soFar().err;
	}

	// Runs, a piece at a time, until its lists are as wanted, and a piece more: it never comes to its end, and the lists stay so.
	async halt(changes, check) {
		const piece = async () => {
			const result = await this.run({ ...changes, max_ms: 1500 });
			assert.equal(result.status, 3, result.err);
			return check(await this.list());
		};
		await until("what was wanted", piece);
		assert.ok(await piece(), "it did not stay so");
	}

	// Runs to the end and asserts that it got there.
	async finish(changes = {}) {
		const result = await this.run(changes);
		assert.equal(result.status, 0, `${result.signal ?? result.status}: ${result.err}`);
		return result;
	}

	async list() {
		const result = await start(this.args({}, "list")).ended;
		assert.equal(result.status, 0, result.err);
		return JSON.parse(result.out);
	}

	// All events of a name on the chain as it is now.
	async events(name) {
		const logs = await this.chain.rpc("eth_getLogs", {
			address: this.f.escrow.target, topics: [this.f.escrow.interface.getEvent(name).topicHash],
			fromBlock: ethers.toQuantity(this.fromBlock), toBlock: "latest",
		});
		return logs.map((log) => ({ args: this.f.escrow.interface.parseLog(log).args, tx: log.transactionHash }));
	}

	// All SessionSettled events, by session.
	async settled() {
		const map = new Map();
		for (const { args, tx } of await this.events("SessionSettled"))
			map.set(args.sessionId, [...(map.get(args.sessionId) ?? []), { ...args.toObject(), tx }]);
		return map;
	}

	// Every session settled exactly once, at its bytes, its parts adding up; the credits are their sums; the tool says the same.
	async assertSettledOnce(list) {
		const events = await this.settled();
		let operator = 0n;
		let fee = 0n;
		for (const { id, bytes } of list) {
			const own = events.get(id) ?? [];
			assert.equal(own.length, 1, `${id} was settled ${own.length} times`);
			const expected = split(bytes, 10n * GB, PRICE);
			assert.equal(own[0].bytesUsed, bytes);
			assert.equal(own[0].operatorAmount, expected.operator);
			assert.equal(own[0].feeAmount, expected.fee);
			assert.equal(own[0].refund, expected.refund);
			operator += expected.operator;
			fee += expected.fee;
		}
		assert.equal(await this.f.withdrawable(this.f.payout), operator, "operator's credits");
		assert.equal(await this.f.withdrawable(this.f.treasury), fee, "treasury's credits");
		const { items } = await this.list();
		for (const { id, bytes } of list) {
			const item = items.find((i) => i.session === id && i.phase === "end");
			assert.equal(item?.state, "done", `${id} is ${item?.state} (${item?.reason})`);
			assert.equal(BigInt(item.bytes), bytes);
			assert.equal(item.txId, events.get(id)[0].tx);
			assert.equal(BigInt(item.operator), split(bytes, 10n * GB, PRICE).operator);
		}
	}
}
export { NO_VOUCHER };
