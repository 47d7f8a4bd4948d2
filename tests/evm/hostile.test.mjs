// SPDX-License-Identifier: Apache-2.0
//
// Recipients and tokens that do their worst: refuse, burn gas, answer with a bomb, call back in, blacklist. What they can
// spoil is their own payment; settling goes on, costs a bounded amount, and the books stay balanced.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { mocks } from "./chain.mjs";
import { DAY, Fixture, GB, Mode, NATIVE, NO_PERMIT, NO_VOUCHER, PRICE, ROOT, Status, split, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const ACCEPT = 0, REFUSE = 1, BURN = 2, BOMB = 3, REENTER = 4;
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;
const GUARD = ethers.id("ReentrancyGuardReentrantCall()").slice(0, 10);

// Every function that writes, with arguments that would do something if it were let in.
async function attacks(f, id, wallet) {
	const order = await f.order();
	return {
		createSession: Fixture.args(order),
		createSessionWithToken: [(({ asset, ...o }) => o)(order), f.stranger, 1n, NO_PERMIT],
		topUp: [id, 1n, 0n],
		topUpWithToken: [id, 1n, 0n, f.stranger, 1n, NO_PERMIT],
		closeSession: [id],
		claim: [id, await f.voucher(id, GB)],
		finalizeSession: [id, 0n, ROOT, NO_VOUCHER],
		finalizeAttested: [id, 0n, ROOT, await f.attestation(id, 0n)],
		proposeSettlement: [id, 0n, ROOT],
		dispute: [id, 0n],
		resolve: [id, 0n, ROOT, await f.attestation(id, 0n)],
		execute: [id],
		reclaim: [id],
		withdraw: [NATIVE],
		withdrawTo: [NATIVE, wallet],
		withdrawRefund: [id],
		withdrawRefunds: [[id], wallet],
		finalizeBatch: [f.nodeId, []],
		proposeBatch: [f.nodeId, []],
		executeBatch: [f.nodeId, []],
	};
}

describe("a buyer that is a hostile contract", () => {
	const c = useFixture(hooks, async ({ f, chain }) => {
		const wallet = await chain.deploy(mocks().Actor);
		const as_wallet = (fn, args, options) => {
			const data = f.escrow.interface.encodeFunctionData(fn, args);
			return chain.send(wallet, f.buyer, "run", [f.escrow.target, data], options);
		};
		const buy = async (changes = {}) => {
			const order = await f.order({ mode: Mode.attested, ...changes });
			await as_wallet("createSession", Fixture.args(order), { value: BigInt(order.dataGB) * PRICE });
			return f.escrow.sessionIdOf(wallet.target, order.salt);
		};
		const set = (behaviour, data = "0x") => chain.send(wallet, f.buyer, "set", [behaviour, f.escrow.target, data]);
		return { wallet, as_wallet, buy, set };
	});

	const ROADS = {
		finalizeSession: async (id) => c.f.finalize(id, 4n * GB),
		finalizeAttested: async (id) => c.f.send(c.f.operator, "finalizeAttested", [id, 4n * GB, ROOT, await c.f.attestation(id, 4n * GB)]),
		execute: async (id) => {
			await c.f.send(c.f.operator, "proposeSettlement", [id, 4n * GB, ROOT]);
			await c.chain.advance(2 * DAY);
			return c.f.send(c.f.stranger, "execute", [id]);
		},
		resolve: async (id) => {
			await c.f.send(c.f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
			await c.as_wallet("dispute", [id, 0n]);
			return c.f.send(c.f.stranger, "resolve", [id, 4n * GB, ROOT, await c.f.attestation(id, 4n * GB)]);
		},
	};

	it("an honest contract gets its refund with the settlement", async () => {
		for (const [name, road] of Object.entries(ROADS)) {
			const earlier = await c.chain.balance(c.wallet.target);
			const id = await c.buy();
			const receipt = await road(id);
			assert.equal(event(receipt, "RefundWithdrawn").amount, 6n * PRICE, name);
			assert.equal((await c.chain.balance(c.wallet.target)) - earlier, 6n * PRICE);
		}
	});

	for (const [name, behaviour] of Object.entries({ refuses: REFUSE, "burns gas": BURN, "returns a bomb": BOMB })) {
		it(`that ${name} does not stop settling, and can draw later`, async () => {
			for (const [road_name, road] of Object.entries(ROADS)) {
				await c.set(ACCEPT);
				const honest = (await road(await c.buy())).gasUsed;
				await c.set(behaviour);
				const id = await c.buy();
				const receipt = await road(id);
				// 30,000 gas at most for the recipient, and a bomb is never copied.
				assert.ok(receipt.gasUsed < honest + 40000n, `${road_name}: ${receipt.gasUsed} against ${honest}`);
				const paid_anyway = event(receipt, "RefundWithdrawn");
				if (!paid_anyway) {
					assert.deepEqual(event(receipt, "RefundHeld").toArray(), [id, 6n * PRICE], road_name);
					assert.deepEqual([(await c.f.session(id)).refundable, (await c.f.session(id)).held], [6n * PRICE, 6n * PRICE]);
					await c.set(ACCEPT);
					const earlier = await c.chain.balance(c.wallet.target);
					await c.as_wallet("withdrawRefund", [id]);
					assert.equal((await c.chain.balance(c.wallet.target)) - earlier, 6n * PRICE);
				} else {
					// Answering much is not refusing: the money went, and nothing of the answer was read.
					assert.equal(behaviour, BOMB);
				}
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
		for (const id of [bad, good]) items.push({ sessionId: id, bytesUsed: GB, checkpointsRoot: ROOT, voucher: await f.voucher(id, GB) });
		const receipt = await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		assert.deepEqual(receipt.events.map((e) => e.name), ["SessionSettled", "SessionSettled"]);
	});

	it("reclaiming works for a contract that refuses: it settles, the money waits", async () => {
		const id = await c.buy();
		await c.set(REFUSE);
		await c.chain.advance(3 * DAY);
		await c.as_wallet("reclaim", [id]);
		assert.deepEqual([(await c.f.session(id)).status, (await c.f.session(id)).refundable], [Status.settled, 10n * PRICE]);
	});

	it("that calls back in is refused by the guard, whatever it calls", async () => {
		const { f, chain, wallet } = c;
		// The wallet is operator's settler, payout, treasury and buyer at once: only the guard stands in its way.
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, wallet.target]);
		await chain.send(f.registry, f.operator, "setPayout", [f.nodeId, wallet.target]);
		const victim = await c.buy();
		const all = await attacks(f, victim, wallet.target);
		const writing = f.escrow.interface.fragments.filter((x) => x.type === "function" && !x.constant).map((x) => x.name);
		const unguarded = ["setFee", "setTreasury", "transferOwnership", "acceptOwnership", "renounceOwnership"];
		assert.deepEqual(writing.filter((n) => !unguarded.includes(n)).sort(), Object.keys(all).sort());
		const outcome = (receipt) => {
			const log = receipt.logs.find((l) => l.address.toLowerCase() === wallet.target.toLowerCase());
			return log && wallet.interface.parseLog(log).args.toArray();
		};
		for (const [fn, args] of Object.entries(all)) {
			await c.set(REENTER, f.escrow.interface.encodeFunctionData(fn, args));
			// Pushed with capped gas: a short call gets as far as the guard, a long one not even there.
			const id = await c.buy();
			const pushed = await f.finalize(id, 4n * GB);
			if (["closeSession", "execute", "reclaim", "withdraw", "withdrawRefund"].includes(fn)) {
				assert.deepEqual(outcome(pushed), [false, GUARD], `${fn} from a pushed refund`);
			}
			// Drawn with all the gas there is.
			await c.set(REFUSE);
			const held = await c.buy();
			await f.finalize(held, 4n * GB);
			await c.set(REENTER, f.escrow.interface.encodeFunctionData(fn, args));
			const drawn = await c.as_wallet("withdrawRefund", [held]);
			assert.deepEqual(outcome(drawn), [false, GUARD], `${fn} from a drawn refund`);
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
			assert.deepEqual([reentered.args.ok, reentered.args.reason], [false, GUARD]);
			assert.equal(await chain.balance(f.escrow.target), total - held);
			assert.equal(await f.withdrawable(wallet.target), 0n);
			await chain.rpc("evm_revert", snapshot);
		}
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
		await f.send(f.treasury, "withdraw", [NATIVE]);
		const fresh = ethers.Wallet.createRandom().address;
		await c.as_wallet("withdrawTo", [NATIVE, fresh]);
		assert.equal(await chain.balance(fresh), due);
	});

	it("starving the push of gas holds the refund or fails the whole, never loses it", async () => {
		const { f, chain, wallet } = c;
		// A recipient that needs nearly all of its 30,000 gas, so that there is something to starve.
		await c.set(REENTER, f.escrow.interface.encodeFunctionData("closeSession", [ethers.ZeroHash]));
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
				assert.deepEqual([(await f.session(id)).status, await chain.balance(wallet.target)], [Status.proposed, earlier]);
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
		await chain.rpc("anvil_setBalance", f.escrow.target, ethers.toQuantity(total + 12345n));
		await f.finalize(id, 4n * GB);
		await f.send(f.payout, "withdraw", [NATIVE]);
		await f.send(f.treasury, "withdraw", [NATIVE]);
		assert.equal(await chain.balance(f.escrow.target), 12345n);
	});
});

describe("hostile tokens", () => {
	const TOKEN_PRICE = 1000n;
	const NORMAL = 0, TAKE_FEE = 1, FALSE = 3, T_REFUSE = 4, T_BURN = 5, T_BOMB = 6, TWO = 7, T_REENTER = 8;
	const c = useFixture(hooks, async ({ f, chain }) => {
		const token = await chain.deploy(mocks().HostileToken);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, token.target, TOKEN_PRICE]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const set = (behaviour, target = NATIVE, data = "0x") => chain.send(token, f.buyer, "set", [behaviour, target, data]);
		return { token, set };
	});
	const buy = async (token = c.token, changes = {}) => {
		const { asset, ...order } = await c.f.order({ asset: token.target, ...changes });
		const receipt = await c.f.send(c.f.buyer, "createSessionWithToken", [order, token.target, 10n ** 9n, NO_PERMIT]);
		return receipt.events.find((e) => e.name === "SessionCreated").args.sessionId;
	};

	for (const [name, behaviour] of Object.entries({ "answers false": FALSE, reverts: T_REFUSE, "burns gas": T_BURN, "returns a bomb": T_BOMB, "answers 2": TWO })) {
		it(`that ${name} when the refund is pushed: settled, refund held, drawn later`, async () => {
			const { f, token } = c;
			const id = await buy();
			await c.set(behaviour);
			const receipt = await f.finalize(id, 4n * GB);
			assert.ok(receipt.gasUsed < 320000n, `${receipt.gasUsed}`);
			assert.deepEqual(event(receipt, "RefundHeld").toArray(), [id, 6n * TOKEN_PRICE]);
			await assert.rejects(f.send(f.payout, "withdraw", [token.target], { gas: 1000000n }));
			if (behaviour !== TWO) {
				await assert.rejects(f.send(f.buyer, "withdrawRefund", [id], { gas: 1000000n }));
				assert.equal((await f.session(id)).refundable, 6n * TOKEN_PRICE);
			}
			await c.set(NORMAL);
			await f.send(f.payout, "withdraw", [token.target]);
			assert.equal(await token.balanceOf(f.payout), split(4n * GB, 10n * GB, TOKEN_PRICE).operator);
			// A token that moved the money and then said 2 was taken at its word only by itself.
			if (behaviour !== TWO) await f.send(f.buyer, "withdrawRefund", [id]);
		});
	}

	it("that starts to take a fee later takes it from the recipient, not from the escrow", async () => {
		const { f, token } = c;
		const [id, other] = [await buy(), await buy()];
		await c.set(TAKE_FEE);
		await f.finalize(id, 4n * GB);
		await f.send(f.payout, "withdraw", [token.target]);
		await f.send(f.treasury, "withdraw", [token.target]);
		assert.equal(await token.balanceOf(f.escrow.target), (await f.session(other)).held);
	});

	it("that calls back in, in the middle of a purchase, a push and a withdrawal", async () => {
		const { f, token, chain } = c;
		const victim = await f.buy({ mode: Mode.attested });
		await chain.send(f.registry, f.operator, "setSettler", [f.nodeId, token.target]);
		const all = await attacks(f, victim, token.target);
		const attempted = (receipt) => {
			const logs = receipt.logs.filter((l) => l.address.toLowerCase() === token.target.toLowerCase());
			return logs.map((l) => token.interface.parseLog(l)).filter((l) => l.name === "Reentered").map((l) => [l.args.ok, l.args.reason]);
		};
		for (const [fn, args] of Object.entries(all)) {
			await c.set(T_REENTER, f.escrow.target, f.escrow.interface.encodeFunctionData(fn, args));
			const { asset, ...order } = await f.order({ asset: token.target });
			const bought = await f.send(f.buyer, "createSessionWithToken", [order, token.target, 10n ** 9n, NO_PERMIT]);
			assert.deepEqual(attempted(bought), [[false, GUARD]], `${fn} from a purchase`);
			const id = bought.events[0].args.sessionId;
			assert.deepEqual(attempted(await f.finalize(id, GB)), [[false, GUARD]], `${fn} from a push`);
			assert.deepEqual(attempted(await f.send(f.payout, "withdraw", [token.target])), [[false, GUARD]], `${fn} from a withdrawal`);
		}
		assert.deepEqual([(await f.session(victim)).status, (await f.session(victim)).held], [Status.open, 10n * PRICE]);
		assert.equal(await chain.balance(f.escrow.target), 10n * PRICE);
	});

	it("one asset's trouble is not another's", async () => {
		const { f } = c;
		const [bad, good] = [await buy(), await f.buy()];
		await c.set(T_REFUSE);
		const items = [];
		for (const id of [bad, good]) items.push({ sessionId: id, bytesUsed: 4n * GB, checkpointsRoot: ROOT, voucher: await f.voucher(id, 4n * GB) });
		await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		await f.send(f.payout, "withdraw", [NATIVE]);
		await f.send(f.treasury, "withdraw", [NATIVE]);
		await f.send(f.buyer, "withdrawRefund", [good]);
		assert.equal(await c.chain.balance(f.escrow.target), 0n);
	});

	it("a blacklisted buyer, payout or treasury: others are paid, it can name another address", async () => {
		const { f, chain } = c;
		const usd = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, usd.target, TOKEN_PRICE]);
		await chain.send(usd, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(usd, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const id = await buy(usd);
		for (const who of [f.buyer, f.payout]) await chain.send(usd, f.stranger, "setBlacklisted", [who, true]);
		const receipt = await f.finalize(id, 4n * GB);
		assert.equal(event(receipt, "RefundHeld").amount, 6n * TOKEN_PRICE);
		await f.send(f.treasury, "withdraw", [usd.target]);
		for (const [who, fn, args] of [[f.payout, "withdraw", [usd.target]], [f.buyer, "withdrawRefund", [id]]]) await assert.rejects(f.send(who, fn, args));
		const [a, b] = [ethers.Wallet.createRandom().address, ethers.Wallet.createRandom().address];
		await f.send(f.payout, "withdrawTo", [usd.target, a]);
		await f.send(f.buyer, "withdrawRefunds", [[id], b]);
		assert.equal(await usd.balanceOf(a), split(4n * GB, 10n * GB, TOKEN_PRICE).operator);
		assert.equal(await usd.balanceOf(b), 6n * TOKEN_PRICE);
		assert.equal(await usd.balanceOf(f.escrow.target), 0n);
	});

	it("a token of the old kind, which answers nothing, pays all three", async () => {
		const { f, chain } = c;
		const legacy = await chain.deploy(mocks().LegacyToken);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, legacy.target, TOKEN_PRICE]);
		await chain.send(legacy, f.buyer, "mint", [f.buyer, 10n * TOKEN_PRICE]);
		await chain.send(legacy, f.buyer, "approve", [f.escrow.target, 10n * TOKEN_PRICE]);
		const receipt = await f.finalize(await buy(legacy), 4n * GB);
		assert.equal(event(receipt, "RefundWithdrawn").amount, 6n * TOKEN_PRICE);
		await f.send(f.payout, "withdraw", [legacy.target]);
		await f.send(f.treasury, "withdraw", [legacy.target]);
		assert.equal(await legacy.balanceOf(f.escrow.target), 0n);
	});

	it("a token that loses its code before the refund: held, and nothing is lost by a call to nobody", async () => {
		const { f, chain, token } = c;
		const id = await buy();
		await chain.rpc("anvil_setCode", token.target, "0x");
		const receipt = await f.finalize(id, 4n * GB);
		assert.equal(event(receipt, "RefundHeld").amount, 6n * TOKEN_PRICE);
	});
});
