// SPDX-License-Identifier: Apache-2.0
//
// Tokens that do their worst, and tokens that refuse somebody: their own asset suffers, settling
// and the books do not.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { GUARD, attacks } from "./attacks.mjs";
import { mocks } from "./chain.mjs";
import { GB, Mode, NATIVE, NO_PERMIT, PRICE, ROOT, Status, split, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;

describe("hostile tokens", () => {
	const TOKEN_PRICE = 1000n;
	const NORMAL = 0,
		TAKE_FEE = 1,
		FALSE = 3,
		T_REFUSE = 4,
		T_BURN = 5,
		T_BOMB = 6,
		TWO = 7,
		T_REENTER = 8,
		MOVE_AND_FALSE = 9;
	const c = useFixture(hooks, async ({ f, chain }) => {
		const token = await chain.deploy(mocks().HostileToken);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			token.target,
			TOKEN_PRICE,
		]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(token, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const set = (behaviour, target = NATIVE, data = "0x") =>
			chain.send(token, f.buyer, "set", [behaviour, target, data]);
		return { token, set };
	});
	const buy = async (token = c.token, changes = {}) => {
		const { asset, ...order } = await c.f.order({ asset: token.target, ...changes });
		const receipt = await c.f.send(c.f.buyer, "createSessionWithToken", [
			order,
			token.target,
			10n ** 9n,
			NO_PERMIT,
		]);
		return receipt.events.find((e) => e.name === "SessionCreated").args.sessionId;
	};

	for (const [name, behaviour] of Object.entries({
		"answers false": FALSE,
		reverts: T_REFUSE,
		"burns gas": T_BURN,
		"returns a bomb": T_BOMB,
		"answers 2": TWO,
	})) {
		it(`that ${name} when the refund is pushed: settled, refund held, drawn later`, async () => {
			const { f, token, chain } = c;
			const snapshot = await chain.snapshot();
			await f.finalize(await buy(), 4n * GB); // the first credits, the first balance
			const honest = (await f.finalize(await buy(), 4n * GB)).gasUsed;
			const next = await buy();
			await c.set(behaviour);
			const spoilt = (await f.finalize(next, 4n * GB)).gasUsed;
			// 100,000 gas at most for the token, of which an honest one needs a part, and
			// nothing that it answers is copied.
			assert.ok(spoilt < honest + 90000n, `${spoilt} against ${honest}`);
			await chain.rpc("evm_revert", snapshot);
			const id = await buy();
			await c.set(behaviour);
			const receipt = await f.finalize(id, 4n * GB);
			assert.deepEqual(event(receipt, "RefundHeld").toArray(), [
				id,
				6n * TOKEN_PRICE,
			]);
			await assert.rejects(
				f.send(f.payout, "withdraw", [token.target], { gas: 1000000n }),
			);
			await assert.rejects(
				f.send(f.buyer, "withdrawRefund", [id], { gas: 1000000n }),
			);
			assert.equal((await f.session(id)).refundable, 6n * TOKEN_PRICE);
			// Also where the token moved the money before it said no: that is undone.
			assert.equal(await token.balanceOf(f.escrow.target), 10n * TOKEN_PRICE);
			await c.set(NORMAL);
			await f.send(f.payout, "withdraw", [token.target]);
			assert.equal(
				await token.balanceOf(f.payout),
				split(4n * GB, 10n * GB, TOKEN_PRICE).operator,
			);
			await f.send(f.buyer, "withdrawRefund", [id]);
			await f.send(f.treasury, "withdraw", [token.target]);
			assert.equal(await token.balanceOf(f.escrow.target), 0n);
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
			const logs = receipt.logs.filter(
				(l) => l.address.toLowerCase() === token.target.toLowerCase(),
			);
			return logs
				.map((l) => token.interface.parseLog(l))
				.filter((l) => l.name === "Reentered")
				.map((l) => [l.args.ok, l.args.reason]);
		};
		for (const [fn, args] of Object.entries(all)) {
			await c.set(
				T_REENTER,
				f.escrow.target,
				f.escrow.interface.encodeFunctionData(fn, args),
			);
			const { asset, ...order } = await f.order({ asset: token.target });
			const bought = await f.send(f.buyer, "createSessionWithToken", [
				order,
				token.target,
				10n ** 9n,
				NO_PERMIT,
			]);
			assert.deepEqual(
				attempted(bought),
				[[false, GUARD]],
				`${fn} from a purchase`,
			);
			const id = bought.events[0].args.sessionId;
			assert.deepEqual(
				attempted(await f.finalize(id, GB)),
				[[false, GUARD]],
				`${fn} from a push`,
			);
			assert.deepEqual(
				attempted(await f.send(f.payout, "withdraw", [token.target])),
				[[false, GUARD]],
				`${fn} from a withdrawal`,
			);
		}
		assert.deepEqual(
			[(await f.session(victim)).status, (await f.session(victim)).held],
			[Status.open, 10n * PRICE],
		);
		assert.equal(await chain.balance(f.escrow.target), 10n * PRICE);
	});

	it("that moves the money and answers false is undone, so nobody pays its refund twice", async () => {
		const { f, token } = c;
		const [id, other] = [await buy(), await buy()];
		await c.set(MOVE_AND_FALSE);
		const receipt = await f.finalize(id, 4n * GB);
		assert.equal(event(receipt, "RefundHeld").amount, 6n * TOKEN_PRICE);
		assert.equal(await token.balanceOf(f.escrow.target), 20n * TOKEN_PRICE);
		await c.set(NORMAL);
		await f.send(f.buyer, "withdrawRefund", [id]);
		await f.finalize(other, 0n);
		await f.send(f.payout, "withdraw", [token.target]);
		await f.send(f.treasury, "withdraw", [token.target]);
		assert.equal(await token.balanceOf(f.escrow.target), 0n);
	});

	it("cannot make the escrow push: pushToken is its own alone", async () => {
		const { f, token } = c;
		await buy();
		const args = [token.target, f.stranger, 1n];
		for (const who of f.chain.accounts)
			await f.fails(who, "pushToken", args, "NotSelf");
		await c.set(
			T_REENTER,
			f.escrow.target,
			f.escrow.interface.encodeFunctionData("pushToken", args),
		);
		const id = await buy();
		for (const receipt of [
			await f.finalize(id, 4n * GB),
			await f.send(f.payout, "withdraw", [token.target]),
		]) {
			const logs = receipt.logs.filter(
				(l) => l.address.toLowerCase() === token.target.toLowerCase(),
			);
			const [reentered] = logs
				.map((l) => token.interface.parseLog(l))
				.filter((l) => l.name === "Reentered");
			assert.deepEqual(reentered.args.toArray(), [
				false,
				f.escrow.interface.getError("NotSelf").selector,
			]);
		}
		assert.equal(await token.balanceOf(f.stranger), 0n);
	});

	it("one asset's trouble is not another's", async () => {
		const { f } = c;
		const [bad, good] = [await buy(), await f.buy()];
		await c.set(T_REFUSE);
		const items = [];
		for (const id of [bad, good])
			items.push({
				sessionId: id,
				bytesUsed: 4n * GB,
				checkpointsRoot: ROOT,
				voucher: await f.voucher(id, 4n * GB),
			});
		await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
		await f.send(f.payout, "withdraw", [NATIVE]);
		await f.send(f.treasury, "withdraw", [NATIVE]);
		await f.send(f.buyer, "withdrawRefund", [good]);
		assert.equal(await c.chain.balance(f.escrow.target), 0n);
	});

	it("a blacklisted buyer, payout or treasury: others are paid, it can name another address", async () => {
		const { f, chain } = c;
		const usd = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			usd.target,
			TOKEN_PRICE,
		]);
		await chain.send(usd, f.buyer, "mint", [f.buyer, 10n ** 9n]);
		await chain.send(usd, f.buyer, "approve", [f.escrow.target, 10n ** 9n]);
		const id = await buy(usd);
		for (const who of [f.buyer, f.payout])
			await chain.send(usd, f.stranger, "setBlacklisted", [who, true]);
		const receipt = await f.finalize(id, 4n * GB);
		assert.equal(event(receipt, "RefundHeld").amount, 6n * TOKEN_PRICE);
		await f.send(f.treasury, "withdraw", [usd.target]);
		for (const [who, fn, args] of [
			[f.payout, "withdraw", [usd.target]],
			[f.buyer, "withdrawRefund", [id]],
		])
			await assert.rejects(f.send(who, fn, args));
		const [a, b] = [
			ethers.Wallet.createRandom().address,
			ethers.Wallet.createRandom().address,
		];
		await f.send(f.payout, "withdrawTo", [usd.target, a]);
		await f.send(f.buyer, "withdrawRefunds", [[id], b]);
		assert.equal(
			await usd.balanceOf(a),
			split(4n * GB, 10n * GB, TOKEN_PRICE).operator,
		);
		assert.equal(await usd.balanceOf(b), 6n * TOKEN_PRICE);
		assert.equal(await usd.balanceOf(f.escrow.target), 0n);
	});

	it("a token of the old kind, which answers nothing, pays all three", async () => {
		const { f, chain } = c;
		const legacy = await chain.deploy(mocks().LegacyToken);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			legacy.target,
			TOKEN_PRICE,
		]);
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
