// SPDX-License-Identifier: Apache-2.0
//
// The ways to settle other than a voucher at the end, each through the outbox on a real chain: claims before the end, proposals
// and their execution, the attestor's word at once and after a dispute.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ethers } from "ethers";
import { GB, Kind, NO_VOUCHER, PRICE, ROOT, Settlement, split } from "./harness.mjs";

const ATTESTED = { mode: 1 };

// A test with a chain of its own.
function scenario(name, run) {
	test(name, async () => {
		const s = await Settlement.create();
		try {
			await run(s);
		} finally {
			await s.close();
		}
	});
}

const attested = async (s, id, bytes, changes = {}) =>
	s.request(id, bytes, { kind: Kind.finalizeAttested, voucher: NO_VOUCHER, attestation: await s.f.attestation(id, bytes), ...changes });

scenario("a claim secures what a voucher covers; the end pays the rest", async (s) => {
	const id = await s.f.buy();
	s.pump(30);
	await s.queue([await s.request(id, 2n * GB, { kind: Kind.claim })]);
	await s.finish();
	assert.equal(await s.f.withdrawable(s.f.payout), split(2n * GB, 10n * GB, PRICE).operator);
	const claimed = (await s.list()).items[0];
	assert.deepEqual([claimed.kind, claimed.state, claimed.bytes], ["claim", "done", Number(2n * GB)]);
	// The same and an older voucher are no further claim, a newer one is.
	await s.queue([await s.request(id, 2n * GB, { kind: Kind.claim }), await s.request(id, GB, { kind: Kind.claim })]);
	assert.equal((await s.list()).items.length, 1);
	await s.queue([await s.request(id, 3n * GB, { kind: Kind.claim })]);
	await s.finish();
	await s.queue([await s.request(id, 5n * GB)]);
	await s.finish();
	assert.deepEqual((await s.list()).items.map((i) => [i.kind, i.state]), [["claim", "done"], ["claim", "done"], ["finalize", "done"]]);
	await s.assertSettledOnce([{ id, bytes: 5n * GB }]);
	const late = await s.queue([await s.request(id, 6n * GB, { kind: Kind.claim })], { mayFail: true });
	assert.match(late.out, /refused \(over\)/);
});

scenario("the attestor's word settles at once, before a proposal and after it", async (s) => {
	const list = [];
	for (const bytes of [4n * GB, 7n * GB + 1n]) list.push({ id: await s.f.buy(ATTESTED), bytes });
	s.pump(30);
	await s.queue([await s.request(list[0].id, 9n * GB, { kind: Kind.propose, voucher: NO_VOUCHER })]);
	await s.finish();
	await s.queue([await attested(s, list[0].id, list[0].bytes), await attested(s, list[1].id, list[1].bytes)]);
	await s.finish();
	await s.assertSettledOnce(list);
	assert.deepEqual((await s.list()).items.map((i) => i.kind), ["propose", "finalize_attested", "finalize_attested"]);
});

scenario("a dispute is settled by the attestor's word", async (s) => {
	const id = await s.f.buy(ATTESTED);
	s.pump(30);
	await s.queue([await s.request(id, 8n * GB, { kind: Kind.propose, voucher: NO_VOUCHER })]);
	await s.finish();
	await s.f.send(s.f.buyer, "dispute", [id, GB]);
	await s.queue([await attested(s, id, 6n * GB, { kind: Kind.resolve })]);
	await s.finish();
	await s.assertSettledOnce([{ id, bytes: 6n * GB }]);
});

scenario("attestations that must be refused", async (s) => {
	const id = await s.f.buy(ATTESTED);
	const other = await s.f.buy(ATTESTED);
	const good = await s.f.attestation(id, 5n * GB);
	const order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;
	const low = ethers.Signature.from({ r: good.r, yParityAndS: good.vs });
	const rows = [
		{ attestation: await s.f.attestation(other, 5n * GB) }, // another session's
		{ attestation: await s.f.attestation(id, 5n * GB + 1n) }, // other bytes
		{ attestation: await s.f.attestation(id, 5n * GB, ethers.ZeroHash) }, // another root
		{ attestation: await s.f.attestation(id, 5n * GB, ROOT, ethers.Wallet.createRandom()) },
		{ attestation: await s.f.attestation(id, 5n * GB, ROOT, undefined, { ...s.f.domain, chainId: 1 }) },
		{ attestation: await s.f.attestation(id, 5n * GB, ROOT, undefined, { ...s.f.domain, verifyingContract: s.f.registry.target }) },
		{ attestation: { r: good.r, vs: ethers.toBeHex((order - BigInt(low.s)) | (BigInt(1 - low.yParity) << 255n), 32) } },
		{ attestation: { r: ethers.ZeroHash, vs: ethers.ZeroHash } },
		{ attestation: good, attestor: ethers.ZeroAddress },
	];
	for (const kind of [Kind.finalizeAttested, Kind.resolve]) {
		for (const [i, row] of rows.entries()) {
			const result = await s.queue([await attested(s, id, 5n * GB, { ...row, kind })], { mayFail: true });
			assert.match(result.out, /refused settlement refused \(bad_attestation\)/, `row ${i}`);
			assert.match(result.out, /refusals bad_attestation 1/);
		}
	}
	for (const voucher of [NO_VOUCHER, await s.f.voucher(id, 0n)]) {
		const result = await s.queue([await s.request(id, GB, { kind: Kind.claim, voucher })], { mayFail: true });
		assert.match(result.out, /refused \(no_voucher\)/);
	}
	assert.equal((await s.list()).items.length, 0);
});
