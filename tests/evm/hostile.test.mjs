// SPDX-License-Identifier: Apache-2.0
//
// Recipients that do their worst: refuse, burn gas, answer with a bomb, call back in. What they can
// spoil is their own payment; settling goes on, costs a bounded amount, and the books balance.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { GUARD, attacks } from "./attacks.mjs";
import { mocks } from "./chain.mjs";
import {
	DAY,
	Fixture,
	GB,
	Mode,
	NATIVE,
	PRICE,
	ROOT,
	Status,
	split,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;
const ACCEPT = 0,
	REFUSE = 1,
	BURN = 2,
	BOMB = 3,
	REENTER = 4;

describe("a buyer that is a hostile contract", () => {
	const c = useFixture(hooks, async ({ f, chain }) => {
		const wallet = await chain.deploy(mocks().Actor);
		const as_wallet = (fn, args, options) => {
			const data = f.escrow.interface.encodeFunctionData(fn, args);
			return chain.send(wallet, f.buyer, "run", [f.escrow.target, data], options);
		};
		const buy = async (changes = {}) => {
			const order = await f.order({ mode: Mode.attested, ...changes });
			await as_wallet("createSession", Fixture.args(order), {
				value: BigInt(order.dataGB) * PRICE,
			});
			return f.escrow.sessionIdOf(wallet.target, order.salt);
		};
		const set = (behaviour, data = "0x") =>
			chain.send(wallet, f.buyer, "set", [behaviour, f.escrow.target, data]);
		return { wallet, as_wallet, buy, set };
	});

	const ROADS = {
		finalizeSession: async (id) => c.f.finalize(id, 4n * GB),
		finalizeAttested: async (id) =>
			c.f.send(c.f.operator, "finalizeAttested", [
				id,
				4n * GB,
				ROOT,
				await c.f.attestation(id, 4n * GB),
			]),
		execute: async (id) => {
			await c.f.send(c.f.operator, "proposeSettlement", [id, 4n * GB, ROOT]);
			await c.chain.advance(2 * DAY);
			return c.f.send(c.f.stranger, "execute", [id]);
		},
		resolve: async (id) => {
			await c.f.send(c.f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
			await c.as_wallet("dispute", [id, 0n]);
			return c.f.send(c.f.stranger, "resolve", [
				id,
				4n * GB,
				ROOT,
				await c.f.attestation(id, 4n * GB),
			]);
		},
	};

	it("an honest contract gets its refund with the settlement", async () => {
		for (const [name, road] of Object.entries(ROADS)) {
			const earlier = await c.chain.balance(c.wallet.target);
			const id = await c.buy();
			const receipt = await road(id);
			assert.equal(event(receipt, "RefundWithdrawn").amount, 6n * PRICE, name);
			assert.equal(
				(await c.chain.balance(c.wallet.target)) - earlier,
				6n * PRICE,
			);
		}
	});

	for (const [name, behaviour] of Object.entries({
		refuses: REFUSE,
		"burns gas": BURN,
		"returns a bomb": BOMB,
	})) {
		it(`that ${name} does not stop settling, and can draw later`, async () => {
			for (const [road_name, road] of Object.entries(ROADS)) {
				await c.set(ACCEPT);
				const honest = (await road(await c.buy())).gasUsed;
				await c.set(behaviour);
				const id = await c.buy();
				const receipt = await road(id);
				// 30,000 gas and the stipend at most for the recipient, and a bomb,
				// which costs nearly that, is never copied, which would cost it again.
				assert.ok(
					receipt.gasUsed < honest + 34000n,
					`${road_name}: ${receipt.gasUsed} against ${honest}`,
				);
				const paid_anyway = event(receipt, "RefundWithdrawn");
				if (!paid_anyway) {
					assert.deepEqual(
						event(receipt, "RefundHeld").toArray(),
						[id, 6n * PRICE],
						road_name,
					);
					assert.deepEqual(
						[
							(await c.f.session(id)).refundable,
							(await c.f.session(id)).held,
						],
						[6n * PRICE, 6n * PRICE],
					);
					await c.set(ACCEPT);
					const earlier = await c.chain.balance(c.wallet.target);
					await c.as_wallet("withdrawRefund", [id]);
					assert.equal(
						(await c.chain.balance(c.wallet.target)) - earlier,
						6n * PRICE,
					);
				}
				// Answering much is not refusing: the money went, and nothing of the
				// answer was read.
				assert.equal(Boolean(paid_anyway), behaviour === BOMB, road_name);
				assert.equal((await c.f.session(id)).held, 0n);
			}
		});
	}

	it("that refuses can have its refund sent elsewhere, and cannot draw it to itself", async () => {
		const id = await c.buy();
		await c.f.finalize(id, 4n * GB);
		const held = await c.buy();
		await c.set(REFUSE);
		await c.f.finalize(held, 4n * GB);
		await assert.rejects(c.as_wallet("withdrawRefund", [held]));
		assert.equal((await c.f.session(held)).refundable, 6n * PRICE);
		const fresh = ethers.Wallet.createRandom().address;
		await c.as_wallet("withdrawRefunds", [[held], fresh]);
		assert.equal(await c.chain.balance(fresh), 6n * PRICE);
	});

	it("that refuses does not hold up a batch, which pushes nothing", async () => {
		const { f } = c;
		await c.set(REFUSE);
		const [bad, good] = [await c.buy(), await f.buy()];
		const items = [];
		for (const id of [bad, good])
			items.push({
				sessionId: id,
				bytesUsed: GB,
				checkpointsRoot: ROOT,
				voucher: await f.voucher(id, GB),
			});
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.deepEqual(
			receipt.events.map((e) => e.name),
			["SessionSettled", "SessionSettled"],
		);
	});

	it("that drew the excess of a dispute and refuses the rest is owed the rest alone", async () => {
		const { f, chain, wallet } = c;
		// Signs for itself, so that the mark of that is at stake as well.
		const id = await c.buy({ voucherSigner: wallet.target });
		await f.buy({ dataGB: 100n }); // money of others
		const earlier = await chain.balance(wallet.target);
		await f.send(f.operator, "proposeSettlement", [id, 6n * GB, ROOT]);
		await c.as_wallet("dispute", [id, GB]);
		await c.as_wallet("withdrawRefund", [id]);
		await c.set(REFUSE);
		const receipt = await f.send(f.stranger, "resolve", [
			id,
			5n * GB,
			ROOT,
			await f.attestation(id, 5n * GB),
		]);
		assert.deepEqual(event(receipt, "RefundHeld").toArray(), [id, PRICE]);
		const s = await f.session(id);
		assert.deepEqual(
			[s.refundable, s.held, s.voucherSigner],
			[PRICE, PRICE, wallet.target],
		);
		await c.set(ACCEPT);
		await c.as_wallet("withdrawRefund", [id]);
		await c.as_wallet("withdrawRefunds", [[id, id], wallet.target]);
		assert.equal((await chain.balance(wallet.target)) - earlier, 5n * PRICE);
		assert.equal(await chain.balance(f.escrow.target), 105n * PRICE);
	});

	it("reclaiming works for a contract that refuses: it settles, the money waits", async () => {
		const id = await c.buy();
		await c.set(REFUSE);
		await c.chain.advance(3 * DAY);
		await c.as_wallet("reclaim", [id]);
		assert.deepEqual(
			[(await c.f.session(id)).status, (await c.f.session(id)).refundable],
			[Status.settled, 10n * PRICE],
		);
	});

	it("that calls back in is refused by the guard, whatever it calls", async () => {
		const { f, chain, wallet } = c;
		// The wallet is operator's settler, payout, treasury and buyer at once: only the
		// guard stands in its way.
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, wallet.target]);
		await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, wallet.target]);
		const victim = await c.buy();
		const all = await attacks(f, victim, wallet.target);
		const writing = f.escrow.interface.fragments
			.filter((x) => x.type === "function" && !x.constant)
			.map((x) => x.name);
		const unguarded = [
			"pushToken",
			"setFee",
			"setTreasury",
			"transferOwnership",
			"acceptOwnership",
			"renounceOwnership",
		];
		assert.deepEqual(
			writing.filter((n) => !unguarded.includes(n)).sort(),
			Object.keys(all).sort(),
		);
		const outcome = (receipt) => {
			const log = receipt.logs.find(
				(l) => l.address.toLowerCase() === wallet.target.toLowerCase(),
			);
			return log && wallet.interface.parseLog(log).args.toArray();
		};
		for (const [fn, args] of Object.entries(all)) {
			await c.set(REENTER, f.escrow.interface.encodeFunctionData(fn, args));
			// Pushed with capped gas: a short call gets as far as the guard, a long one
			// not even there.
			const id = await c.buy();
			const pushed = await f.finalize(id, 4n * GB);
			if (
				[
					"closeSession",
					"execute",
					"reclaim",
					"withdraw",
					"withdrawRefund",
				].includes(fn)
			) {
				assert.deepEqual(
					outcome(pushed),
					[false, GUARD],
					`${fn} from a pushed refund`,
				);
			}
			// Drawn with all the gas there is.
			await c.set(REFUSE);
			const held = await c.buy();
			await f.finalize(held, 4n * GB);
			await c.set(REENTER, f.escrow.interface.encodeFunctionData(fn, args));
			const drawn = await c.as_wallet("withdrawRefund", [held]);
			assert.deepEqual(
				outcome(drawn),
				[false, GUARD],
				`${fn} from a drawn refund`,
			);
			assert.equal((await f.session(victim)).status, Status.open);
		}
		// Also from the uncapped door: while its own credits are paid.
		for (const fn of ["withdraw", "withdrawRefund", "finalizeBatch"]) {
			const snapshot = await chain.snapshot();
			await c.set(REENTER, f.escrow.interface.encodeFunctionData(fn, all[fn]));
			const held = await f.withdrawable(wallet.target);
			const total = await chain.balance(f.escrow.target);
			const receipt = await c.as_wallet("withdraw", [NATIVE]);
			const [reentered] = receipt.events.filter((e) => e.name === "Reentered");
			assert.deepEqual(
				[reentered.args.ok, reentered.args.reason],
				[false, GUARD],
			);
			assert.equal(await chain.balance(f.escrow.target), total - held);
			assert.equal(await f.withdrawable(wallet.target), 0n);
			await chain.rpc("evm_revert", snapshot);
		}
	});

	it("while it is paid the books already say so, to whoever asks", async () => {
		const { f, chain, wallet } = c;
		const answer = (receipt) =>
			receipt.logs
				.filter(
					(l) =>
						l.address.toLowerCase() ===
						wallet.target.toLowerCase(),
				)
				.map((l) => wallet.interface.parseLog(l))
				.find((l) => l.name === "Answered")?.args.hash;
		const ask = (fn, args) =>
			c.set(REENTER, f.escrow.interface.encodeFunctionData(fn, args));
		const now = async (fn, args) =>
			ethers.keccak256(
				await chain.rpc(
					"eth_call",
					chain.request(f.escrow, f.stranger, fn, args),
					"latest",
				),
			);
		// A pushed refund, then a drawn one.
		const pushed = await c.buy();
		await ask("getSession", [pushed]);
		const receipt = await f.finalize(pushed, 4n * GB);
		assert.ok(event(receipt, "RefundWithdrawn"));
		assert.equal(answer(receipt), await now("getSession", [pushed]));
		for (const draw of ["withdrawRefund", "withdrawRefunds"]) {
			const id = await c.buy();
			await c.set(REFUSE);
			await f.finalize(id, 4n * GB);
			await ask("getSession", [id]);
			const args = draw === "withdrawRefund" ? [id] : [[id], wallet.target];
			const drawn = await c.as_wallet(draw, args);
			assert.equal(answer(drawn), await now("getSession", [id]), draw);
		}
		// Credits.
		await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, wallet.target]);
		await f.finalize(await f.buy(), GB);
		await ask("withdrawable", [wallet.target, NATIVE]);
		const paid = await c.as_wallet("withdraw", [NATIVE]);
		assert.equal(answer(paid), ethers.keccak256(ethers.ZeroHash));
	});

	it("a payout address that refuses spoils its own withdrawal only", async () => {
		const { f, chain, wallet } = c;
		await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, wallet.target]);
		await c.set(REFUSE);
		const id = await f.buy();
		await f.finalize(id, 10n * GB);
		const due = split(10n * GB, 10n * GB, PRICE).operator;
		assert.equal(await f.withdrawable(wallet.target), due);
		await assert.rejects(c.as_wallet("withdraw", [NATIVE]));
		assert.equal(await f.withdrawable(wallet.target), due);
		await c.set(BURN);
		await f.fails(f.treasury, "withdrawTo", [NATIVE, wallet.target], "FailedCall");
		await f.send(f.treasury, "withdraw", [NATIVE]);
		const fresh = ethers.Wallet.createRandom().address;
		await c.as_wallet("withdrawTo", [NATIVE, fresh]);
		assert.equal(await chain.balance(fresh), due);
	});

	it("starving the push of gas holds the refund or fails the whole, never loses it", async () => {
		const { f, chain, wallet } = c;
		// A recipient that needs nearly all of its 30,000 gas, so that there is something
		// to starve.
		await c.set(
			REENTER,
			f.escrow.interface.encodeFunctionData("closeSession", [ethers.ZeroHash]),
		);
		const id = await c.buy();
		await f.send(f.operator, "proposeSettlement", [id, 4n * GB, ROOT]);
		await chain.advance(2 * DAY);
		let snapshot = await chain.snapshot();
		const outcomes = new Set();
		const full = (await f.send(f.stranger, "execute", [id])).gasUsed;
		for (let gas = full + 40000n; gas > 60000n; gas -= 2500n) {
			snapshot = await chain.revert(snapshot);
			const earlier = await chain.balance(wallet.target);
			try {
				await f.send(f.stranger, "execute", [id], { gas });
			} catch {
				assert.deepEqual(
					[
						(await f.session(id)).status,
						await chain.balance(wallet.target),
					],
					[Status.proposed, earlier],
				);
				outcomes.add("failed");
				break;
			}
			const s = await f.session(id);
			const pushed = (await chain.balance(wallet.target)) - earlier;
			assert.equal(pushed + s.refundable, 6n * PRICE, `gas ${gas}`);
			assert.equal(s.held, s.refundable);
			outcomes.add(pushed ? "pushed" : "held");
		}
		assert.equal(outcomes.has("pushed") && outcomes.has("failed"), true);
	});

	it("ether that is forced in changes nobody's figures", async () => {
		const { f, chain } = c;
		const id = await c.buy();
		const total = await chain.balance(f.escrow.target);
		await chain.rpc(
			"anvil_setBalance",
			f.escrow.target,
			ethers.toQuantity(total + 12345n),
		);
		await f.finalize(id, 4n * GB);
		await f.send(f.payout, "withdraw", [NATIVE]);
		await f.send(f.treasury, "withdraw", [NATIVE]);
		assert.equal(await chain.balance(f.escrow.target), 12345n);
	});
});
