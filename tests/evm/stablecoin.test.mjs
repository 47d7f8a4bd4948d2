// SPDX-License-Identifier: Apache-2.0
//
// Six-decimal dollars from end to end, for each kind there is: transfers that answer true, that
// answer nothing, behind a proxy; with permit or without; with a blacklist that strikes each party
// in turn. Every figure is written down, every road ends with an escrow that holds nothing.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain, mocks } from "./chain.mjs";
import { DAY, GB, Mode, NO_PERMIT, NO_VOUCHER, ROOT, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;
const USD = 10n ** 6n;
const PER_GB = USD / 2n;
// 10 GB at 0.50, 5.2 GB used, 1 %.
const DEPOSIT = 5n * USD;
const USED = 5200000000n;
const OPERATOR = 2574000n;
const FEE = 26000n;
const BACK = 2400000n;

const KINDS = {
	"that answers true": {
		permit: true,
		deploy: (chain) => chain.deploy(mocks().Stablecoin),
	},
	"behind a proxy": {
		permit: true,
		deploy: async (chain) => {
			const code = await chain.deploy(mocks().Stablecoin);
			const proxy = await chain.deploy(mocks().ProxiedStablecoin, [code.target]);
			return new ethers.Contract(proxy.target, code.interface, chain.provider);
		},
	},
	"that answers nothing": {
		permit: false,
		deploy: (chain) => chain.deploy(mocks().LegacyToken),
	},
};

for (const [kind, { permit: has_permit, deploy }] of Object.entries(KINDS)) {
	describe(`a dollar ${kind}`, () => {
		const c = useFixture(hooks, async ({ f, chain }) => {
			const token = await deploy(chain);
			assert.equal(await token.decimals(), 6n);
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				token.target,
				PER_GB,
			]);
			await chain.send(token, f.buyer, "mint", [f.buyer, 10n * DEPOSIT]);
			return { token };
		});
		const balance = (who) => c.token.balanceOf(who);
		const approve = (amount) =>
			c.chain.send(c.token, c.f.buyer, "approve", [c.f.escrow.target, amount]);
		const order = async (changes) => {
			const { asset, ...o } = await c.f.order({
				asset: c.token.target,
				...changes,
			});
			return o;
		};
		const purchase = async (changes, permit = NO_PERMIT) =>
			c.f.send(c.f.buyer, "createSessionWithToken", [
				await order(changes),
				c.token.target,
				DEPOSIT,
				permit,
			]);
		const buy = async (changes) => {
			await approve(DEPOSIT);
			return event(await purchase(changes), "SessionCreated").sessionId;
		};
		const sign_permit = async (value, deadline) => {
			const types = {
				Permit: [
					{ name: "owner", type: "address" },
					{ name: "spender", type: "address" },
					{ name: "value", type: "uint256" },
					{ name: "nonce", type: "uint256" },
					{ name: "deadline", type: "uint256" },
				],
			};
			const domain = {
				name: "Test Dollar",
				version: "1",
				chainId: c.chain.chainId,
				verifyingContract: c.token.target,
			};
			const message = {
				owner: c.f.buyer,
				spender: c.f.escrow.target,
				value,
				nonce: await c.token.nonces(c.f.buyer),
				deadline,
			};
			const { v, r, s } = ethers.Signature.from(
				await Chain.wallet(5).signTypedData(domain, types, message),
			);
			return { value, deadline, v, r, s };
		};
		// Both sides draw; what is left in the escrow is told.
		const draw = async () => {
			for (const who of [c.f.payout, c.f.treasury])
				if (await c.f.withdrawable(who, c.token.target))
					await c.f.send(who, "withdraw", [c.token.target]);
			return balance(c.f.escrow.target);
		};

		it("purchase, claims, finalize with the refund pushed, withdraw", async () => {
			const { f } = c;
			const id = await buy();
			assert.equal(await balance(f.escrow.target), DEPOSIT);
			assert.equal((await f.session(id)).held, DEPOSIT);
			const claimed = event(await f.claim(id, 2n * GB), "SessionClaimed");
			assert.deepEqual(
				[claimed.operatorAmount, claimed.feeAmount],
				[990000n, 10000n],
			);
			await f.send(f.payout, "withdraw", [c.token.target]);
			assert.equal(await balance(f.payout), 990000n);
			const receipt = await f.finalize(id, USED);
			const settled = event(receipt, "SessionSettled");
			assert.deepEqual(
				[settled.operatorAmount, settled.feeAmount, settled.refund],
				[OPERATOR, FEE, BACK],
			);
			assert.deepEqual(event(receipt, "RefundWithdrawn").toArray(), [
				id,
				f.buyer,
				BACK,
			]);
			assert.equal(await draw(), 0n);
			assert.deepEqual(
				[
					await balance(f.payout),
					await balance(f.treasury),
					await balance(f.buyer),
				],
				[OPERATOR, FEE, 9n * DEPOSIT + BACK],
			);
		});

		it("top-up, batch, refunds drawn to another address", async () => {
			const { f } = c;
			const ids = [await buy(), await buy()];
			await approve(PER_GB);
			await f.send(f.buyer, "topUpWithToken", [
				ids[1],
				1n,
				0n,
				c.token.target,
				PER_GB,
				NO_PERMIT,
			]);
			const items = [];
			for (const sessionId of ids)
				items.push({
					sessionId,
					bytesUsed: USED,
					checkpointsRoot: ROOT,
					voucher: await f.voucher(sessionId, USED),
				});
			await f.send(f.operator, "finalizeBatch", [f.nodeId, items]);
			const fresh = ethers.Wallet.createRandom().address;
			await f.send(f.buyer, "withdrawRefunds", [ids, fresh]);
			assert.equal(await balance(fresh), 2n * BACK + PER_GB);
			assert.equal(await draw(), 0n);
			assert.equal(await balance(f.payout), 2n * OPERATOR);
			assert.equal(await balance(f.treasury), 2n * FEE);
		});

		it("propose, dispute, the excess drawn, resolve; propose and accept; reclaim", async () => {
			const { f, chain } = c;
			const disputed = await buy({ mode: Mode.optimistic, attestor: f.attestor });
			await f.send(f.operator, "proposeSettlement", [disputed, 6n * GB, ROOT]);
			await f.send(f.buyer, "dispute", [disputed, GB]);
			await f.send(f.buyer, "withdrawRefund", [disputed]);
			assert.equal(await balance(f.buyer), 9n * DEPOSIT + 2n * USD);
			await f.send(f.stranger, "resolve", [
				disputed,
				USED,
				ROOT,
				await f.attestation(disputed, USED),
			]);
			assert.equal(await balance(f.buyer), 9n * DEPOSIT + BACK);
			const accepted = await buy({ mode: Mode.optimistic });
			await f.send(f.operator, "proposeSettlement", [accepted, USED, ROOT]);
			await f.send(f.buyer, "execute", [accepted]);
			const reclaimed = await buy();
			await f.claim(reclaimed, USED);
			await chain.advance(2 * DAY);
			await f.send(f.buyer, "reclaim", [reclaimed]);
			assert.equal(await draw(), 0n);
			assert.deepEqual(
				[
					await balance(f.payout),
					await balance(f.treasury),
					await balance(f.buyer),
				],
				[3n * OPERATOR, 3n * FEE, 7n * DEPOSIT + 3n * BACK],
			);
		});

		it("permit where there is one, allowance where it fails or is missing", async () => {
			const { f, chain, token } = c;
			const deadline = BigInt((await chain.now()) + DAY);
			const junk = {
				value: DEPOSIT,
				deadline,
				v: 27,
				r: ethers.id("r"),
				s: ethers.toBeHex(1, 32),
			};
			const args = [await order(), token.target, DEPOSIT, junk];
			await f.fails(f.buyer, "createSessionWithToken", args, "AllowanceTooLow");
			await approve(DEPOSIT);
			await f.send(f.buyer, "createSessionWithToken", args);
			assert.equal(await balance(f.escrow.target), DEPOSIT);
			assert.equal(await token.allowance(f.buyer, f.escrow.target), 0n);
			if (!has_permit) return;
			const good = await sign_permit(DEPOSIT, deadline);
			await purchase({}, good);
			// Used up: the same permit buys nothing more.
			await f.fails(
				f.buyer,
				"createSessionWithToken",
				[await order(), token.target, DEPOSIT, good],
				"AllowanceTooLow",
			);
			// Sent first by somebody who saw it: it only gave the allowance.
			const seen = await sign_permit(DEPOSIT, deadline);
			await chain.send(token, f.stranger, "permit", [
				f.buyer,
				f.escrow.target,
				DEPOSIT,
				deadline,
				seen.v,
				seen.r,
				seen.s,
			]);
			const id = event(await purchase({}, seen), "SessionCreated").sessionId;
			await f.send(f.buyer, "topUpWithToken", [
				id,
				2n,
				0n,
				token.target,
				2n * PER_GB,
				await sign_permit(2n * PER_GB, deadline),
			]);
			assert.equal(await balance(f.escrow.target), 3n * DEPOSIT + 2n * PER_GB);
			// Too late for the permit, not for the allowance.
			const late = await sign_permit(DEPOSIT, 1n);
			await approve(DEPOSIT);
			await purchase({}, late);
		});

		it("a blacklist strikes one party: it waits or names another address, the others are paid", async () => {
			const { f, chain, token } = c;
			const strike = (who, on) =>
				chain.send(token, f.stranger, "setBlacklisted", [who, on]);
			const id = await buy();
			await approve(DEPOSIT);
			await strike(f.buyer, true);
			// Cannot pay; what it has already paid settles as ever.
			await assert.rejects(purchase());
			await strike(f.payout, true);
			const receipt = await f.finalize(id, USED);
			assert.equal(event(receipt, "SessionSettled").refund, BACK);
			const both = has_permit; // this kind stops the receiver as well
			if (both) {
				assert.deepEqual(event(receipt, "RefundHeld").toArray(), [
					id,
					BACK,
				]);
				await assert.rejects(f.send(f.buyer, "withdrawRefund", [id]));
				await assert.rejects(f.send(f.payout, "withdraw", [token.target]));
				const fresh = ethers.Wallet.createRandom().address;
				await f.send(f.payout, "withdrawTo", [token.target, fresh]);
				assert.equal(await balance(fresh), OPERATOR);
				await strike(f.buyer, false);
				await f.send(f.buyer, "withdrawRefund", [id]);
			} else {
				assert.equal(event(receipt, "RefundWithdrawn").amount, BACK);
			}
			assert.equal(await balance(f.buyer), 9n * DEPOSIT + BACK);
			assert.equal(await draw(), 0n);
			assert.equal(await balance(f.treasury), FEE);
		});

		it("a blacklist strikes the escrow: its asset waits, ether goes on, and nothing is lost when it is lifted", async () => {
			const { f, chain, token } = c;
			const [id, reclaimed, ether] = [await buy(), await buy(), await f.buy()];
			await chain.send(token, f.stranger, "setBlacklisted", [
				f.escrow.target,
				true,
			]);
			const receipt = await f.finalize(id, USED);
			assert.deepEqual(event(receipt, "RefundHeld").toArray(), [id, BACK]);
			await chain.advance(2 * DAY);
			await f.send(f.buyer, "reclaim", [reclaimed]);
			for (const [who, fn, args] of [
				[f.payout, "withdraw", [token.target]],
				[f.treasury, "withdraw", [token.target]],
				[f.buyer, "withdrawRefund", [id]],
				[f.buyer, "withdrawRefunds", [[id, reclaimed], f.buyer]],
			])
				await assert.rejects(f.send(who, fn, args));
			await f.send(f.operator, "finalizeSession", [ether, 0n, ROOT, NO_VOUCHER]);
			assert.equal(await chain.balance(f.escrow.target), 0n);
			await chain.send(token, f.stranger, "setBlacklisted", [
				f.escrow.target,
				false,
			]);
			await f.send(f.buyer, "withdrawRefunds", [[id, reclaimed], f.buyer]);
			assert.equal(await draw(), 0n);
			assert.deepEqual(
				[
					await balance(f.payout),
					await balance(f.treasury),
					await balance(f.buyer),
				],
				[OPERATOR, FEE, 9n * DEPOSIT + BACK],
			);
		});
	});
}
