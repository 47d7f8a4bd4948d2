// SPDX-License-Identifier: Apache-2.0
//
// What each side can lose in each mode: one test for each cell of the table in the contracts'
// README, under the cell's name. Each plays the cell's worst case through to the end and shows both
// that the loss is possible and that it is no larger.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { ethers } from "ethers";
import { mocks } from "./chain.mjs";
import {
	DAY,
	Fixture,
	GB,
	HOUR,
	Mode,
	NATIVE,
	NO_VOUCHER,
	PRICE,
	ROOT,
	Status,
	split,
	useFixture,
} from "./fixture.mjs";

const DEPOSIT = 10n * PRICE;
const value_of = (bytes) => split(bytes, 10n * GB, PRICE).cost;

describe("what each side can lose", () => {
	const c = useFixture({ before, beforeEach, after });

	// What operator (with the fee) and buyer ended up with; the escrow must be empty of this
	// session.
	const outcome = async (id) => {
		const s = await c.f.session(id);
		assert.equal(s.status, Status.settled);
		if (s.refundable) await c.f.send(c.f.buyer, "withdrawRefund", [id]);
		assert.equal((await c.f.session(id)).held, 0n);
		const paid =
			(await c.f.withdrawable(c.f.payout)) +
			(await c.f.withdrawable(c.f.treasury));
		assert.equal(await c.chain.balance(c.f.escrow.target), paid);
		return { operator: paid, buyer: DEPOSIT - paid };
	};
	const buy = (mode, attestor = mode === Mode.attested ? c.f.attestor : NATIVE) =>
		c.f.buy({ mode, attestor });
	const propose = (id, n) => c.f.send(c.f.operator, "proposeSettlement", [id, n, ROOT]);

	it("voucher, buyer: what it signed and did not get, never more than the newest voucher", async () => {
		const { f, chain } = c;
		const [received, tolerance] = [5n * GB, 50000000n];
		const id = await buy(Mode.voucher);
		const voucher = await f.voucher(id, received + tolerance);
		// Everything a greedy node can try beyond the voucher.
		await f.fails(
			f.operator,
			"claim",
			[id, { ...voucher, cumulativeBytes: 10n * GB }],
			"BadVoucher",
		);
		await f.fails(
			f.operator,
			"finalizeSession",
			[id, received + tolerance + 1n, ROOT, voucher],
			"BytesAboveVoucher",
		);
		await f.fails(f.operator, "proposeSettlement", [id, 10n * GB, ROOT], "WrongMode");
		await f.fails(
			f.operator,
			"finalizeAttested",
			[id, 10n * GB, ROOT, await f.attestation(id, 10n * GB)],
			"WrongMode",
		);
		// The buyer sleeps for a year; the node takes what it can.
		await chain.advance(365 * DAY);
		await f.send(f.operator, "finalizeSession", [
			id,
			received + tolerance,
			ROOT,
			voucher,
		]);
		const end = await outcome(id);
		assert.equal(
			end.operator - value_of(received),
			value_of(received + tolerance) - value_of(received),
		);
		assert.equal(end.buyer, DEPOSIT - value_of(received + tolerance));
	});

	it("voucher, buyer: a node that vanishes keeps nothing but what was claimed", async () => {
		const { f, chain } = c;
		const id = await buy(Mode.voucher);
		await f.claim(id, GB);
		await f.send(f.buyer, "closeSession", [id]);
		await f.fails(f.buyer, "reclaim", [id], "GraceNotOver");
		await chain.advance(DAY);
		await f.send(f.buyer, "reclaim", [id]);
		assert.deepEqual(await outcome(id), {
			operator: value_of(GB),
			buyer: DEPOSIT - value_of(GB),
		});
	});

	it("voucher, operator: what it served beyond the newest voucher, one credit", async () => {
		const { f, chain } = c;
		const [served, credit] = [6n * GB, 64000000n];
		const id = await buy(Mode.voucher);
		const newest = await f.voucher(id, served - credit);
		// The buyer stops signing, closes, and does its best to be first.
		await f.send(f.buyer, "closeSession", [id]);
		await chain.advance(DAY - HOUR);
		for (const [fn, args] of [
			["reclaim", [id]],
			["closeSession", [id]],
			["execute", [id]],
			["dispute", [id, 0n]],
		])
			await assert.rejects(f.send(f.buyer, fn, args));
		await f.send(f.operator, "claim", [id, newest]);
		await chain.advance(DAY);
		await f.send(f.buyer, "reclaim", [id]);
		assert.equal((await outcome(id)).operator, value_of(served - credit));
	});

	it("voucher, operator: all of it where it never claims before the grace ends and the buyer reclaims", async () => {
		const { f, chain } = c;
		const id = await buy(Mode.voucher);
		const voucher = await f.voucher(id, 6n * GB);
		await f.send(f.buyer, "closeSession", [id]);
		await chain.advance(DAY);
		await f.send(f.buyer, "reclaim", [id]);
		await f.fails(f.operator, "claim", [id, voucher], "WrongStatus");
		assert.deepEqual(await outcome(id), { operator: 0n, buyer: DEPOSIT });
	});

	it("attested, buyer: what a false attestor attests, up to the whole deposit", async () => {
		const { f } = c;
		const id = await buy(Mode.attested);
		await f.fails(
			f.operator,
			"finalizeAttested",
			[id, 10n * GB + 1n, ROOT, await f.attestation(id, 10n * GB + 1n)],
			"BytesAboveBought",
		);
		await f.send(f.operator, "finalizeAttested", [
			id,
			10n * GB,
			ROOT,
			await f.attestation(id, 10n * GB),
		]);
		assert.deepEqual(await outcome(id), { operator: DEPOSIT, buyer: 0n });
	});

	it("attested, buyer: or a proposal it sleeps through; a dispute first shuts the attestor's short way", async () => {
		const { f, chain } = c;
		const slept = await buy(Mode.attested);
		await propose(slept, 8n * GB);
		const awake = await buy(Mode.attested);
		await propose(awake, 8n * GB);
		await f.send(f.buyer, "dispute", [awake, GB]);
		await f.fails(
			f.operator,
			"finalizeAttested",
			[awake, 10n * GB, ROOT, await f.attestation(awake, 10n * GB)],
			"WrongStatus",
		);
		// Even a false attestor is now bounded by the proposal.
		await f.fails(
			f.stranger,
			"resolve",
			[awake, 10n * GB, ROOT, await f.attestation(awake, 10n * GB)],
			"BytesAboveProposed",
		);
		await f.send(f.stranger, "resolve", [
			awake,
			8n * GB,
			ROOT,
			await f.attestation(awake, 8n * GB),
		]);
		await chain.advance(2 * DAY);
		await f.send(f.stranger, "execute", [slept]);
		const paid = (await f.withdrawable(f.payout)) + (await f.withdrawable(f.treasury));
		assert.equal(paid, 2n * value_of(8n * GB));
	});

	it("attested, operator: with a silent attestor, all that no voucher covers", async () => {
		const { f, chain } = c;
		const id = await buy(Mode.attested);
		const voucher = await f.voucher(id, 2n * GB);
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.fails(
			f.operator,
			"finalizeAttested",
			[
				id,
				6n * GB,
				ROOT,
				await f.attestation(id, 6n * GB, ROOT, f.voucherWallet),
			],
			"WrongStatus",
		);
		await f.send(f.operator, "claim", [id, voucher]);
		await chain.advance(7 * DAY);
		await f.send(f.buyer, "execute", [id]);
		assert.deepEqual(await outcome(id), {
			operator: value_of(2n * GB),
			buyer: DEPOSIT - value_of(2n * GB),
		});
	});

	it("attested, operator: with an attestor that is false to it, the same", async () => {
		const { f } = c;
		const id = await buy(Mode.attested);
		const voucher = await f.voucher(id, 2n * GB);
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.send(f.operator, "claim", [id, voucher]);
		// Below what vouchers cover even a false attestor cannot go.
		await f.fails(
			f.buyer,
			"resolve",
			[id, 2n * GB - 1n, ROOT, await f.attestation(id, 2n * GB - 1n)],
			"BytesBelowClaimed",
		);
		await f.send(f.buyer, "resolve", [
			id,
			2n * GB,
			ROOT,
			await f.attestation(id, 2n * GB),
		]);
		assert.deepEqual(await outcome(id), {
			operator: value_of(2n * GB),
			buyer: DEPOSIT - value_of(2n * GB),
		});
	});

	it("optimistic, buyer: a proposal it sleeps through, up to the whole deposit", async () => {
		const { f, chain } = c;
		const id = await buy(Mode.optimistic);
		await propose(id, 10n * GB);
		await chain.advance(2 * DAY);
		await f.fails(f.buyer, "dispute", [id, 0n], "WindowOver");
		await f.send(f.operator, "execute", [id]);
		assert.deepEqual(await outcome(id), { operator: DEPOSIT, buyer: 0n });
	});

	it("optimistic, buyer: a dispute limits it to what it accepts", async () => {
		const { f, chain } = c;
		const id = await buy(Mode.optimistic);
		await propose(id, 10n * GB);
		await f.send(f.buyer, "dispute", [id, 3n * GB]);
		await chain.advance(7 * DAY);
		await f.send(f.stranger, "execute", [id]);
		assert.deepEqual(await outcome(id), {
			operator: value_of(3n * GB),
			buyer: DEPOSIT - value_of(3n * GB),
		});
	});

	it("optimistic, buyer: or to what its attestor says, never above the proposal", async () => {
		const { f } = c;
		const id = await buy(Mode.optimistic, c.f.attestor);
		await propose(id, 7n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.fails(
			f.operator,
			"resolve",
			[id, 8n * GB, ROOT, await f.attestation(id, 8n * GB)],
			"BytesAboveProposed",
		);
		await f.send(f.operator, "resolve", [
			id,
			7n * GB,
			ROOT,
			await f.attestation(id, 7n * GB),
		]);
		assert.equal((await outcome(id)).operator, value_of(7n * GB));
	});

	it("optimistic, operator: whatever the buyer disputes, all of it without voucher and attestor", async () => {
		const { f, chain } = c;
		const id = await buy(Mode.optimistic);
		await propose(id, 6n * GB);
		await f.send(f.buyer, "dispute", [id, 0n]);
		await f.fails(
			f.operator,
			"resolve",
			[id, 6n * GB, ROOT, await f.attestation(id, 6n * GB)],
			"BadAttestation",
		);
		await chain.advance(7 * DAY);
		await f.send(f.buyer, "execute", [id]);
		assert.deepEqual(await outcome(id), { operator: 0n, buyer: DEPOSIT });
	});

	it("optimistic, operator: nothing where the buyer accepts or sleeps", async () => {
		const { f, chain } = c;
		const accepts = () => f.send(f.buyer, "execute", [id]);
		const sleeps = async () => {
			await chain.advance(2 * DAY);
			await f.send(f.operator, "execute", [id]);
		};
		let id;
		for (const end of [accepts, sleeps]) {
			const snapshot = await chain.snapshot();
			id = await buy(Mode.optimistic);
			await propose(id, 6n * GB);
			await end();
			assert.deepEqual(await outcome(id), {
				operator: value_of(6n * GB),
				buyer: DEPOSIT - value_of(6n * GB),
			});
			await chain.rpc("evm_revert", snapshot);
		}
	});

	it("any mode, operator: all that it did not claim before the buyer reclaims, all above its own proposal", async () => {
		const { f, chain } = c;
		for (const mode of Object.values(Mode)) {
			const snapshot = await chain.snapshot();
			const id = await buy(mode);
			await f.claim(id, GB);
			const { expiry } = await f.session(id);
			await chain.setTime(expiry + BigInt(DAY));
			await f.send(f.buyer, "reclaim", [id]);
			for (const [fn, args] of [
				["claim", [id, await f.voucher(id, 6n * GB)]],
				[
					"finalizeSession",
					[id, 6n * GB, ROOT, await f.voucher(id, 6n * GB)],
				],
			])
				await f.fails(f.operator, fn, args, "WrongStatus");
			assert.deepEqual(
				await outcome(id),
				{ operator: value_of(GB), buyer: DEPOSIT - value_of(GB) },
				`mode ${mode}`,
			);
			await chain.rpc("evm_revert", snapshot);
		}
		for (const mode of [Mode.attested, Mode.optimistic]) {
			const snapshot = await chain.snapshot();
			const id = await buy(mode);
			await propose(id, 3n * GB);
			await f.claim(id, 6n * GB);
			await f.send(f.buyer, "execute", [id]);
			assert.equal(
				(await outcome(id)).operator,
				value_of(3n * GB),
				`mode ${mode}`,
			);
			await chain.rpc("evm_revert", snapshot);
		}
	});

	it("any mode, time: who closes, and disputes what it does not accept, has the rest within grace + 7 days", async () => {
		const { f, chain } = c;
		const grace = 7 * DAY;
		await chain.send(f.registry, f.operator, "setWindows", [f.nodeId, 7 * DAY, grace]);
		for (const mode of Object.values(Mode)) {
			const snapshot = await chain.snapshot();
			const id = await f.buy({
				mode,
				duration: 90 * DAY,
				attestor: mode === Mode.attested ? f.attestor : NATIVE,
			});
			await f.send(f.buyer, "closeSession", [id]);
			const closed = await chain.now();
			if (mode === Mode.voucher) {
				await chain.rpc("evm_setNextBlockTimestamp", closed + grace);
				await f.send(f.buyer, "reclaim", [id]);
				assert.equal(await chain.now(), closed + grace);
			} else {
				// The worst the node can do: a proposal of everything in the last second.
				await chain.rpc("evm_setNextBlockTimestamp", closed + grace - 1);
				await propose(id, 10n * GB);
				await chain.rpc("evm_setNextBlockTimestamp", closed + grace);
				await f.send(f.buyer, "dispute", [id, 0n]);
				const last = closed + grace + 7 * DAY;
				await chain.rpc("evm_setNextBlockTimestamp", last);
				await f.send(f.buyer, "execute", [id]);
				assert.equal(await chain.now(), last);
			}
			assert.deepEqual(
				await outcome(id),
				{ operator: 0n, buyer: DEPOSIT },
				`mode ${mode}`,
			);
			await chain.rpc("evm_revert", snapshot);
		}
	});

	it("any mode, signed bytes: nobody can disown what it signed, by closing, disputing, waiting or a wallet that changes its mind", async () => {
		const { f, chain } = c;
		const signed = 5n * GB;
		const escapes = {
			closing: (id) => f.send(f.buyer, "closeSession", [id]),
			"expiring, up to the end of the grace": async (id) =>
				chain.setTime((await f.session(id)).expiry + BigInt(DAY) - 10n),
			disputing: async (id, mode) => {
				if (mode === Mode.voucher) return;
				await propose(id, 9n * GB);
				await f.send(f.buyer, "dispute", [id, 0n]);
				await f.send(f.buyer, "withdrawRefund", [id]);
			},
			"disputing as the signer, then waiting": async (id, mode) => {
				if (mode === Mode.voucher) return;
				await propose(id, 9n * GB);
				await f.send(f.voucherSigner, "dispute", [id, 0n]);
				await chain.advance(7 * DAY);
			},
			"code at the signer's address": () =>
				chain.rpc(
					"anvil_setCode",
					f.voucherSigner,
					mocks().Actor.deployedBytecode,
				),
		};
		for (const mode of Object.values(Mode)) {
			for (const [name, escape] of Object.entries(escapes)) {
				const snapshot = await chain.snapshot();
				const id = await buy(mode);
				const voucher = await f.voucher(id, signed);
				await escape(id, mode);
				await f.send(f.operator, "claim", [id, voucher]);
				const paid =
					(await f.withdrawable(f.payout)) +
					(await f.withdrawable(f.treasury));
				assert.equal(paid, value_of(signed), `mode ${mode}, ${name}`);
				await chain.rpc("evm_revert", snapshot);
			}
		}
	});

	it("any mode, recipients: who cannot be paid harms itself alone", async () => {
		const { f, chain } = c;
		const wallet = await chain.deploy(mocks().Actor);
		for (const mode of Object.values(Mode)) {
			const order = await f.order({ mode });
			const data = f.escrow.interface.encodeFunctionData(
				"createSession",
				Fixture.args(order),
			);
			await chain.send(wallet, f.buyer, "run", [f.escrow.target, data], {
				value: DEPOSIT,
			});
			for (const behaviour of [1, 2, 3]) {
				const snapshot = await chain.snapshot();
				await chain.send(wallet, f.buyer, "set", [behaviour, NATIVE, "0x"]);
				const id = await f.escrow.sessionIdOf(wallet.target, order.salt);
				const [gained, gas] = [
					await f.withdrawable(f.payout),
					(await f.finalize(id, 4n * GB)).gasUsed,
				];
				assert.equal(
					(await f.withdrawable(f.payout)) - gained,
					split(4n * GB, 10n * GB, PRICE).operator,
				);
				assert.ok(gas < 160000n, `${gas}`);
				const s = await f.session(id);
				assert.equal(s.held, s.refundable);
				await chain.rpc("evm_revert", snapshot);
			}
		}
	});

	it("any mode, owner: it can take nothing and change nothing that exists", async () => {
		const { f, chain } = c;
		const ids = [];
		for (const mode of Object.values(Mode)) ids.push(await buy(mode));
		await f.send(f.owner, "setFee", [500]);
		await f.send(f.owner, "setTreasury", [f.owner]);
		for (const id of ids) {
			for (const [fn, args] of [
				["claim", [id, await f.voucher(id, GB)]],
				["finalizeSession", [id, 0n, ROOT, NO_VOUCHER]],
				["finalizeAttested", [id, GB, ROOT, await f.attestation(id, GB)]],
				["proposeSettlement", [id, GB, ROOT]],
				["closeSession", [id]],
				["dispute", [id, 0n]],
				["reclaim", [id]],
				["withdrawRefund", [id]],
				["withdrawRefunds", [[id], f.owner]],
				["withdraw", [NATIVE]],
			]) {
				await assert.rejects(f.send(f.owner, fn, args), fn);
			}
			await f.finalize(id, 5n * GB);
		}
		assert.equal(await f.withdrawable(f.owner), 0n);
		assert.equal(
			await f.withdrawable(f.treasury),
			3n * split(5n * GB, 10n * GB, PRICE).fee,
		);
		assert.equal(
			await f.withdrawable(f.payout),
			3n * split(5n * GB, 10n * GB, PRICE).operator,
		);
		// Nor does its leaving stop anything.
		await f.send(f.owner, "setTreasury", [f.treasury]);
		const last = await buy(Mode.voucher);
		await f.send(f.owner, "renounceOwnership", []);
		await f.finalize(last, GB);
		await chain.send(f.escrow, f.payout, "withdraw", [NATIVE]);
		await f.send(f.treasury, "withdrawTo", [
			NATIVE,
			ethers.Wallet.createRandom().address,
		]);
		assert.equal(await chain.balance(f.escrow.target), 0n);
	});
});
