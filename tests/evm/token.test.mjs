// SPDX-License-Identifier: Apache-2.0
//
// Buying with tokens: allowances, permits, the highest cost, and tokens that do not deliver what
// they move.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain, mocks } from "./chain.mjs";
import { NATIVE, NO_PERMIT, PRICE, useFixture } from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const TOKEN_PRICE = 500000n; // 0.50 of a six-decimal dollar

describe("tokens", () => {
	const c = useFixture(hooks, async ({ f, chain }) => {
		const token = await chain.deploy(mocks().Stablecoin);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			token.target,
			TOKEN_PRICE,
		]);
		await chain.send(token, f.buyer, "mint", [f.buyer, 100n * TOKEN_PRICE]);
		return { token };
	});
	const order = async (changes = {}) => {
		const { asset, ...rest } = await c.f.order({ asset: c.token.target, ...changes });
		return rest;
	};
	const approve = (amount) =>
		c.chain.send(c.token, c.f.buyer, "approve", [c.f.escrow.target, amount]);
	const sign_permit = async (value, deadline, wallet = Chain.wallet(5)) => {
		const domain = {
			name: "Test Dollar",
			version: "1",
			chainId: c.chain.chainId,
			verifyingContract: c.token.target,
		};
		const types = {
			Permit: [
				"owner:address",
				"spender:address",
				"value:uint256",
				"nonce:uint256",
				"deadline:uint256",
			].map((x) => {
				const [name, type] = x.split(":");
				return { name, type };
			}),
		};
		const nonce = await c.token.nonces(c.f.buyer);
		const message = {
			owner: c.f.buyer,
			spender: c.f.escrow.target,
			value,
			nonce,
			deadline,
		};
		const { v, r, s } = ethers.Signature.from(
			await wallet.signTypedData(domain, types, message),
		);
		return { value, deadline, v, r, s };
	};
	const create = async (o, max = ethers.MaxUint256, permit = NO_PERMIT) => {
		const receipt = await c.f.send(c.f.buyer, "createSessionWithToken", [
			o,
			c.token.target,
			max,
			permit,
		]);
		return receipt.events[0].args.sessionId;
	};

	it("buys and tops up by allowance, at the token's own price", async () => {
		const { f, token } = c;
		await approve(13n * TOKEN_PRICE);
		const id = await create(await order());
		assert.equal(await token.balanceOf(f.escrow.target), 10n * TOKEN_PRICE);
		await f.send(f.buyer, "topUpWithToken", [
			id,
			3,
			0,
			token.target,
			3n * TOKEN_PRICE,
			NO_PERMIT,
		]);
		assert.equal(await token.balanceOf(f.escrow.target), 13n * TOKEN_PRICE);
		const s = await f.session(id);
		assert.deepEqual(
			[s.asset, s.pricePerGB, s.deposit],
			[token.target, TOKEN_PRICE, 13n * TOKEN_PRICE],
		);
		await f.fails(f.buyer, "topUp", [id, 1, 0], { value: TOKEN_PRICE }, "WrongAsset");
	});

	it("buys and tops up by permit", async () => {
		const { f, token, chain } = c;
		const deadline = BigInt(await chain.now()) + 1000n;
		const id = await create(
			await order(),
			10n * TOKEN_PRICE,
			await sign_permit(10n * TOKEN_PRICE, deadline),
		);
		const permit = await sign_permit(TOKEN_PRICE, deadline);
		await f.send(f.buyer, "topUpWithToken", [
			id,
			1,
			0,
			token.target,
			TOKEN_PRICE,
			permit,
		]);
		assert.equal((await f.session(id)).deposit, 11n * TOKEN_PRICE);
	});

	it("ignores a failing permit if the allowance suffices, and only then", async () => {
		const { f, token, chain } = c;
		const deadline = BigInt(await chain.now()) + 1000n;
		const bad = await sign_permit(10n * TOKEN_PRICE, deadline, Chain.wallet(8));
		const o = await order();
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[o, token.target, 10n * TOKEN_PRICE, bad],
			"AllowanceTooLow",
		);
		// Somebody saw a good permit and spent it first: the allowance is there, and the
		// purchase goes through.
		const good = await sign_permit(10n * TOKEN_PRICE, deadline);
		await chain.send(token, f.stranger, "permit", [
			f.buyer,
			f.escrow.target,
			good.value,
			deadline,
			good.v,
			good.r,
			good.s,
		]);
		await create(o, 10n * TOKEN_PRICE, good);
		// An expired one is as good as none.
		await approve(10n * TOKEN_PRICE);
		await create(await order(), 10n * TOKEN_PRICE, await sign_permit(1n, 1n));
	});

	it("a token without permit is bought by allowance, also when a permit is given", async () => {
		const { f, chain } = c;
		const legacy = await chain.deploy(mocks().LegacyToken);
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, legacy.target, 7n]);
		await chain.send(legacy, f.buyer, "mint", [f.buyer, 70n]);
		await chain.send(legacy, f.buyer, "approve", [f.escrow.target, 70n]);
		const permit = { ...NO_PERMIT, deadline: 1n };
		await f.send(f.buyer, "createSessionWithToken", [
			await order({ asset: legacy.target }),
			legacy.target,
			70n,
			permit,
		]);
		assert.equal(await legacy.balanceOf(f.escrow.target), 70n);
	});

	it("never costs more than maxCost", async () => {
		const { f, token } = c;
		await approve(100n * TOKEN_PRICE);
		const o = await order();
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[o, token.target, 10n * TOKEN_PRICE - 1n, NO_PERMIT],
			"CostAboveMaximum",
		);
		const id = await create(o, 10n * TOKEN_PRICE);
		await f.fails(
			f.buyer,
			"topUpWithToken",
			[id, 2, 0, token.target, 2n * TOKEN_PRICE - 1n, NO_PERMIT],
			"CostAboveMaximum",
		);
	});

	it("allowance and balance must suffice", async () => {
		const { f, token, chain } = c;
		await approve(10n * TOKEN_PRICE - 1n);
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[await order(), token.target, ethers.MaxUint256, NO_PERMIT],
			"AllowanceTooLow",
		);
		await approve(ethers.MaxUint256);
		await chain.send(token, f.buyer, "transfer", [f.stranger, 100n * TOKEN_PRICE]);
		const data = token.interface.getError("ERC20InsufficientBalance").selector;
		await assert.rejects(
			chain.call(f.escrow, f.buyer, "createSessionWithToken", [
				await order(),
				token.target,
				ethers.MaxUint256,
				NO_PERMIT,
			]),
			(error) => error.message.includes(data),
		);
	});

	it("refuses fee-on-transfer tokens and any other that does not deliver exactly", async () => {
		const { f, chain } = c;
		const hostile = await chain.deploy(mocks().HostileToken);
		await chain.send(f.registry, f.operator, "setPrice", [
			f.nodeId,
			hostile.target,
			1000n,
		]);
		await chain.send(hostile, f.buyer, "mint", [f.buyer, 100000n]);
		await chain.send(hostile, f.buyer, "approve", [f.escrow.target, 100000n]);
		const o = await order({ asset: hostile.target });
		for (const [behaviour, reason] of [
			[1, "FeeOnTransfer"],
			[2, "FeeOnTransfer"],
			[3, "SafeERC20FailedOperation"],
			[7, "SafeERC20FailedOperation"],
		]) {
			await chain.send(hostile, f.buyer, "set", [behaviour, NATIVE, "0x"]);
			await f.fails(
				f.buyer,
				"createSessionWithToken",
				[o, hostile.target, 10000n, NO_PERMIT],
				reason,
			);
		}
		await chain.send(hostile, f.buyer, "set", [0, NATIVE, "0x"]);
		const receipt = await f.send(f.buyer, "createSessionWithToken", [
			o,
			hostile.target,
			10000n,
			NO_PERMIT,
		]);
		const id = receipt.events[0].args.sessionId;
		await chain.send(hostile, f.buyer, "set", [1, NATIVE, "0x"]);
		await f.fails(
			f.buyer,
			"topUpWithToken",
			[id, 1, 0, hostile.target, 1000n, NO_PERMIT],
			"FeeOnTransfer",
		);
	});

	it("refuses unpriced tokens, native by the token's door, ether with a token", async () => {
		const { f, token, chain } = c;
		const other = await chain.deploy(mocks().Stablecoin);
		const o = await order({ termsHash: ethers.ZeroHash });
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[o, other.target, 1n, NO_PERMIT],
			"AssetNotPriced",
		);
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[await order({ asset: NATIVE }), NATIVE, 10n * PRICE, NO_PERMIT],
			"WrongAsset",
		);
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[await order(), token.target, 1n, NO_PERMIT],
			{ value: 1n },
			"",
		);
		// A priced address without code delivers nothing.
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, f.stranger, 1n]);
		const empty = await order({ asset: f.stranger });
		await f.fails(
			f.buyer,
			"createSessionWithToken",
			[empty, f.stranger, 10n, { ...NO_PERMIT, deadline: 1n }],
			"",
		);
	});
});
