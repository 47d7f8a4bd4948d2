// SPDX-License-Identifier: Apache-2.0
//
// Vouchers: what they pay, which are refused, and that the same bytes end in the same balances by
// whatever road and in whatever split into claims.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { Chain, deployTollwire, mocks } from "./chain.mjs";
import {
	DAY,
	GB,
	Mode,
	NATIVE,
	NO_VOUCHER,
	PRICE,
	ROOT,
	Status,
	split,
	useFixture,
} from "./fixture.mjs";

const hooks = { before, beforeEach, after };
const N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
const event = (receipt, name) => receipt.events.find((e) => e.name === name)?.args;

// Credits, and what the escrow holds. The buyer pays gas, so its refund is read from the event and
// from the escrow's balance.
const books = async ({ f, chain }, asset = NATIVE) => ({
	operator: await f.withdrawable(f.payout, asset),
	fee: await f.withdrawable(f.treasury, asset),
	escrow: await chain.balance(f.escrow.target),
});

describe("the reference split", () => {
	const c = useFixture(hooks);

	it("10 GB at 0.001 ETH, 5.2 GB used: 0.005148 operator, 0.000052 treasury, 0.0048 back", async () => {
		const { f, chain } = c;
		const id = await f.buy();
		const receipt = await f.finalize(id, 5200000000n);
		const settled = event(receipt, "SessionSettled");
		assert.deepEqual(settled.toArray(), [
			id,
			0n,
			5200000000n,
			ROOT,
			ethers.parseEther("0.005148"),
			ethers.parseEther("0.000052"),
			ethers.parseEther("0.0048"),
		]);
		assert.deepEqual(await books(c), {
			operator: ethers.parseEther("0.005148"),
			fee: ethers.parseEther("0.000052"),
			escrow: ethers.parseEther("0.0052"),
		});
		assert.deepEqual(event(receipt, "RefundWithdrawn").toArray(), [
			id,
			f.buyer,
			ethers.parseEther("0.0048"),
		]);
		const earlier = await chain.balance(f.payout);
		const paid = await f.send(f.payout, "withdraw", [NATIVE]);
		assert.deepEqual(event(paid, "Withdrawn").toArray(), [
			f.payout,
			NATIVE,
			f.payout,
			ethers.parseEther("0.005148"),
		]);
		const tx = await chain.rpc("eth_getTransactionReceipt", paid.hash);
		assert.equal(
			await chain.balance(f.payout),
			earlier +
				ethers.parseEther("0.005148") -
				paid.gasUsed * BigInt(tx.effectiveGasPrice),
		);
		await f.send(f.treasury, "withdrawTo", [NATIVE, f.stranger]);
		assert.equal(await chain.balance(f.escrow.target), 0n);
	});

	it("the same by every road and in any split into claims", async () => {
		const roads = {
			finalize: (f, id, n) => f.finalize(id, n),
			"claims, finalize without voucher": async (f, id, n) => {
				for (const part of [1n, 333333333n, 2999999999n, n - 1n, n])
					await f.claim(id, part);
				return f.send(f.operator, "finalizeSession", [
					id,
					n,
					ROOT,
					NO_VOUCHER,
				]);
			},
			"propose, accept": async (f, id, n) => {
				await f.claim(id, 777n);
				await f.send(f.operator, "proposeSettlement", [id, n, ROOT]);
				return f.send(f.buyer, "execute", [id]);
			},
			"dispute, resolve": async (f, id, n) => {
				await f.send(f.operator, "proposeSettlement", [id, 9n * GB, ROOT]);
				await f.send(f.buyer, "dispute", [id, 123456789n]);
				return f.send(f.stranger, "resolve", [
					id,
					n,
					ROOT,
					await f.attestation(id, n),
				]);
			},
			"dispute, voucher, execute": async (f, id, n) => {
				await f.send(f.operator, "proposeSettlement", [id, n + 1n, ROOT]);
				await f.send(f.buyer, "dispute", [id, 1n]);
				await f.claim(id, n);
				await f.chain.advance(7 * DAY);
				return f.send(f.stranger, "execute", [id]);
			},
			attested: async (f, id, n) =>
				f.send(f.settler, "finalizeAttested", [
					id,
					n,
					ROOT,
					await f.attestation(id, n),
				]),
			"claim, reclaim": async (f, id, n) => {
				await f.claim(id, n);
				await f.chain.advance(2 * DAY);
				return f.send(f.buyer, "reclaim", [id]);
			},
			batch: async (f, id, n) => {
				const item = {
					sessionId: id,
					bytesUsed: n,
					checkpointsRoot: ROOT,
					voucher: await f.voucher(id, n),
				};
				const receipt = await f.send(f.operator, "finalizeBatch", [
					f.nodeId,
					[item],
				]);
				await f.send(f.buyer, "withdrawRefund", [id]);
				return receipt;
			},
		};
		for (const [name, road] of Object.entries(roads)) {
			const snapshot = await c.chain.snapshot();
			const id = await c.f.buy({ mode: Mode.attested });
			const settled = event(await road(c.f, id, 5200000000n), "SessionSettled");
			assert.deepEqual(
				settled.toArray().slice(4),
				[5148000000000000n, 52000000000000n, 4800000000000000n],
				name,
			);
			assert.equal((await c.f.session(id)).status, Status.settled);
			assert.equal(
				(await c.f.session(id)).held - (await c.f.session(id)).refundable,
				0n,
			);
			const b = await books(c);
			assert.deepEqual(
				[b.operator, b.fee],
				[5148000000000000n, 52000000000000n],
				name,
			);
			if ((await c.f.session(id)).refundable)
				await c.f.send(c.f.buyer, "withdrawRefund", [id]);
			assert.equal(
				await c.chain.balance(c.f.escrow.target),
				b.operator + b.fee,
				name,
			);
			await c.chain.rpc("evm_revert", snapshot);
		}
	});

	it("floors both ways where a price does not divide", async () => {
		const { f, chain } = c;
		for (const [price, bytes] of [
			[1n, 999999999n],
			[3n, 333333333n],
			[7n, 1n],
			[1000000007n, 123456789n],
			[99n, 10n * GB],
		]) {
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				NATIVE,
				price,
			]);
			const id = await f.buy({}, { price });
			const expected = split(bytes, 10n * GB, price);
			const settled = event(await f.finalize(id, bytes), "SessionSettled");
			assert.deepEqual(settled.toArray().slice(4), [
				expected.operator,
				expected.fee,
				expected.refund,
			]);
			assert.equal(
				settled.operatorAmount + settled.feeAmount + settled.refund,
				10n * price,
			);
		}
	});

	it("the fee is of the floored cost, and of all bytes so far, never of a step", async () => {
		const { f, chain } = c;
		const sell = async (price, fee) => {
			await chain.send(f.registry, f.operator, "setPrice", [
				f.nodeId,
				NATIVE,
				price,
			]);
			await chain.send(f.escrow, f.owner, "setFee", [fee]);
			return f.buy({}, { price });
		};
		// Cost 30.04, floored to 30; 3.33 % of that is 0.999, of 30.04 it would be 1.0003.
		let settled = event(
			await f.finalize(await sell(30040n, 333), 1000000n),
			"SessionSettled",
		);
		assert.deepEqual([settled.operatorAmount, settled.feeAmount], [30n, 0n]);
		// 99 a GB at 1 %: no fee for the first, nor for the second alone, but 1 for both.
		const id = await sell(99n, 100);
		const steps = [];
		for (const n of [GB, 2n * GB]) {
			const claimed = event(await f.claim(id, n), "SessionClaimed");
			steps.push([claimed.operatorAmount, claimed.feeAmount]);
		}
		assert.deepEqual(steps, [
			[99n, 0n],
			[98n, 1n],
		]);
		settled = event(await f.finalize(id, 2n * GB), "SessionSettled");
		assert.deepEqual(
			[settled.operatorAmount, settled.feeAmount, settled.refund],
			[197n, 1n, 792n],
		);
	});

	it("the largest session there can be: 2^32 - 1 GB at 2^96 - 1, to the last unit", async () => {
		const { f, chain } = c;
		const [price, gb] = [(1n << 96n) - 1n, (1n << 32n) - 1n];
		await chain.rpc("anvil_setBalance", f.buyer, ethers.toQuantity(1n << 160n));
		await chain.send(f.registry, f.operator, "setPrice", [f.nodeId, NATIVE, price]);
		const used = [0n, 1n, gb * GB - 1n, gb * GB];
		for (const bytes of used) {
			const snapshot = await chain.snapshot();
			const id = await f.buy({ dataGB: gb }, { price });
			assert.equal((await f.session(id)).deposit, gb * price);
			await f.claim(id, bytes / 3n);
			const settled = event(await f.finalize(id, bytes), "SessionSettled");
			const expected = split(bytes, gb * GB, price);
			assert.deepEqual(settled.toArray().slice(4), [
				expected.operator,
				expected.fee,
				expected.refund,
			]);
			assert.equal(
				settled.operatorAmount + settled.feeAmount + settled.refund,
				gb * price,
			);
			await chain.rpc("evm_revert", snapshot);
		}
	});

	it("counts what was served in the registry, once", async () => {
		const { f, chain } = c;
		const id = await f.buy();
		await f.claim(id, GB);
		await f.finalize(id, 3n * GB);
		await f.finalize(await f.buy(), 0n);
		assert.equal(
			(await chain.call(f.registry, f.stranger, "getNode", [f.nodeId])).node
				.servedBytes,
			3n * GB,
		);
	});
});

describe("vouchers and claim", () => {
	const c = useFixture(hooks, async ({ f }) => ({ id: await f.buy() }));

	it("pays differences, up to what was bought; a repeat or an older one is a no-op", async () => {
		const { f, id } = c;
		const receipt = await f.claim(id, 4n * GB);
		const expected = split(4n * GB, 10n * GB, PRICE);
		assert.deepEqual(event(receipt, "SessionClaimed").toArray(), [
			id,
			4n * GB,
			expected.operator,
			expected.fee,
		]);
		for (const n of [4n * GB, 4n * GB - 1n, 0n]) {
			const repeat = await f.claim(id, n);
			assert.deepEqual(repeat.events, []);
			const voucher = await f.voucher(id, n);
			assert.equal(
				await c.chain.call(f.escrow, f.operator, "claim", [id, voucher]),
				4n * GB,
			);
			assert.equal((await f.session(id)).claimedBytes, 4n * GB);
		}
		assert.equal(await f.withdrawable(f.payout), expected.operator);
		await f.claim(id, 11n * GB, f.settler);
		assert.equal((await f.session(id)).claimedBytes, 10n * GB);
		assert.equal((await f.session(id)).held, 0n);
		await f.claim(id, ethers.MaxUint256);
		assert.equal(
			await f.withdrawable(f.payout),
			split(10n * GB, 10n * GB, PRICE).operator,
		);
	});

	it("a voucher above what was bought pays more after a top-up", async () => {
		const { f, id } = c;
		await f.claim(id, 12n * GB);
		await f.send(f.buyer, "topUp", [id, 3, 0], { value: 3n * PRICE });
		await f.claim(id, 12n * GB);
		assert.equal((await f.session(id)).claimedBytes, 12n * GB);
	});

	it("in every state before settled; once proposed at most the proposal; after a dispute it raises what was accepted", async () => {
		const { f, chain } = c;
		const id = await f.buy({ mode: Mode.optimistic });
		await f.claim(id, GB);
		await f.send(f.buyer, "closeSession", [id]);
		await f.claim(id, 2n * GB);
		await f.send(f.operator, "proposeSettlement", [id, 5n * GB, ROOT]);
		await f.claim(id, 3n * GB);
		await f.send(f.voucherSigner, "dispute", [id, 3n * GB]);
		assert.equal((await f.session(id)).claimedBytes, 3n * GB);
		await f.claim(id, 4n * GB);
		assert.equal((await f.session(id)).claimedBytes, 4n * GB);
		await chain.advance(30 * DAY);
		await f.claim(id, 9n * GB);
		assert.equal((await f.session(id)).claimedBytes, 5n * GB);
		await f.send(f.stranger, "execute", [id]);
		await f.fails(
			f.operator,
			"claim",
			[id, await f.voucher(id, 9n * GB)],
			"WrongStatus",
		);
		const late = await f.buy();
		await chain.advance(30 * DAY);
		await f.claim(late, GB);
	});

	it("refuses vouchers for other sessions, chains and contracts, of other signers, altered, malleable or malformed", async () => {
		const { f, chain, id } = c;
		const other = await f.buy();
		const good = await f.voucher(id, GB);
		const s = BigInt(good.vs) & ((1n << 255n) - 1n);
		const parity = BigInt(good.vs) >> 255n;
		const high = {
			...good,
			vs: ethers.toBeHex(
				((parity ^ 1n) << 255n) | ((N - s) & ((1n << 255n) - 1n)),
				32,
			),
		};
		const twin = await deployTollwire(chain);
		const bad = {
			"another session": await f.voucher(other, GB),
			"another chain": await f.voucher(id, GB, f.voucherWallet, {
				...f.domain,
				chainId: 1,
			}),
			"another contract": await f.voucher(id, GB, f.voucherWallet, {
				...f.domain,
				verifyingContract: twin.escrow.target,
			}),
			"another version": await f.voucher(id, GB, f.voucherWallet, {
				...f.domain,
				version: "2",
			}),
			"another name": await f.voucher(id, GB, f.voucherWallet, {
				...f.domain,
				name: "tollwire",
			}),
			"the buyer, who named another signer": await f.voucher(
				id,
				GB,
				Chain.wallet(5),
			),
			"the operator": await f.voucher(id, GB, Chain.wallet(2)),
			"another figure": { ...good, cumulativeBytes: GB + 1n },
			"flipped parity": {
				...good,
				vs: ethers.toBeHex(BigInt(good.vs) ^ (1n << 255n), 32),
			},
			"high s": high,
			"r of 0": { ...good, r: ethers.ZeroHash },
			"s of 0": { ...good, vs: ethers.ZeroHash },
			"r above the order": { ...good, r: ethers.toBeHex(N, 32) },
			none: { ...NO_VOUCHER, cumulativeBytes: GB },
			"an attestation's type": {
				cumulativeBytes: GB,
				...(await f.attestation(id, GB, ethers.ZeroHash, f.voucherWallet)),
			},
		};
		for (const [name, voucher] of Object.entries(bad)) {
			await assert.doesNotReject(
				f.fails(f.operator, "claim", [id, voucher], "BadVoucher"),
				name,
			);
			if (name === "none") continue;
			await assert.doesNotReject(
				f.fails(
					f.operator,
					"finalizeSession",
					[id, GB, ROOT, voucher],
					voucher.cumulativeBytes < GB
						? "BytesAboveVoucher"
						: "BadVoucher",
				),
				name,
			);
		}
		for (let bit = 0; bit < 256; bit++) {
			const flip = (x) => ethers.toBeHex(BigInt(x) ^ (1n << BigInt(bit)), 32);
			await f.fails(
				f.operator,
				"claim",
				[id, { ...good, r: flip(good.r) }],
				"BadVoucher",
			);
			await f.fails(
				f.operator,
				"claim",
				[id, { ...good, vs: flip(good.vs) }],
				"BadVoucher",
			);
		}
		await f.send(f.operator, "claim", [id, good]);
	});

	it("a contract wallet's ERC-1271 yes is never asked for; its session key signs", async () => {
		const { f, chain } = c;
		const wallet = await chain.deploy(mocks().Actor);
		assert.equal(await wallet.isValidSignature(ethers.ZeroHash, "0x"), "0x1626ba7e");
		const id = await f.buy({ voucherSigner: wallet.target });
		for (const key of [5, 6, 8]) {
			await f.fails(
				f.operator,
				"claim",
				[id, await f.voucher(id, GB, Chain.wallet(key))],
				"BadVoucher",
			);
		}
		// Code that appears at the signer's address later changes nothing either way.
		const signed = await f.buy();
		const voucher = await f.voucher(signed, GB);
		await chain.rpc("anvil_setCode", f.voucherSigner, mocks().Actor.deployedBytecode);
		await f.send(f.operator, "claim", [signed, voucher]);
	});

	it("a buyer that names itself signs its own vouchers, and nobody else does", async () => {
		const { f, chain } = c;
		const buyer_wallet = Chain.wallet(5);
		assert.equal(buyer_wallet.address, f.buyer);
		const id = await f.buy({ voucherSigner: f.buyer, mode: Mode.optimistic });
		assert.equal((await f.session(id)).voucherSigner, f.buyer);
		await f.fails(f.operator, "claim", [id, await f.voucher(id, GB)], "BadVoucher");
		await f.send(f.operator, "claim", [id, await f.voucher(id, GB, buyer_wallet)]);
		await f.send(f.operator, "proposeSettlement", [id, 3n * GB, ROOT]);
		await f.fails(f.voucherSigner, "dispute", [id, GB], "NotBuyerOrVoucherSigner");
		await f.send(f.buyer, "dispute", [id, GB]);
		await f.send(f.buyer, "withdrawRefund", [id]);
		await f.send(f.operator, "claim", [id, await f.voucher(id, 2n * GB, buyer_wallet)]);
		await chain.advance(7 * DAY);
		await f.send(f.buyer, "execute", [id]);
		assert.deepEqual(
			[(await f.session(id)).claimedBytes, (await f.session(id)).held],
			[2n * GB, 0n],
		);
		// What was drawn is marked beside who signs, and forgets nothing of it.
		assert.equal((await f.session(id)).voucherSigner, f.buyer);
	});

	it("with voucher signer 0 every voucher is refused", async () => {
		const { f } = c;
		const id = await f.buy({ mode: Mode.optimistic, voucherSigner: NATIVE });
		for (const voucher of [
			await f.voucher(id, GB),
			{ ...NO_VOUCHER, cumulativeBytes: GB },
			{
				cumulativeBytes: GB,
				r: ethers.toBeHex(1, 32),
				vs: ethers.toBeHex(1, 32),
			},
		]) {
			await f.fails(f.operator, "claim", [id, voucher], "BadVoucher");
		}
		await f.fails(
			f.operator,
			"finalizeSession",
			[id, GB, ROOT, await f.voucher(id, GB)],
			"BadVoucher",
		);
	});
});
