// SPDX-License-Identifier: Apache-2.0
//
// The committed vectors are what ethers computes, and the contracts compute the same: type hashes,
// domain, ids, terms, and who signed. So a C encoder or a wallet that agrees with the file agrees
// with the chain.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { startChain } from "./chain.mjs";
import { Fixture, GB, Mode, ZERO32 } from "./fixture.mjs";
import { path, vectors_text } from "./vectors.mjs";

const file = readFileSync(path, "utf8");
const v = JSON.parse(file);
let chain, f;
before(async () => {
	chain = await startChain();
	f = await Fixture.create(chain);
});
after(() => chain?.stop());

test("the file is what ethers computes", () => {
	assert.ok(file === vectors_text(), "run node tests/evm/vectors.mjs");
});

test("the local chain's contracts have the addresses of the file", () => {
	assert.equal(f.registry.target, v.domain.registry);
	assert.equal(f.escrow.target, v.domain.verifyingContract);
	assert.equal(chain.chainId, v.domain.chainId);
});

test("domain separator and ERC-5267 domain", async () => {
	assert.equal(await f.escrow.domainSeparator(), v.domain.separator);
	const d = await f.escrow.eip712Domain();
	assert.deepEqual(
		[d.fields, d.name, d.version, d.chainId, d.verifyingContract],
		[
			"0x0f",
			v.domain.name,
			v.domain.version,
			BigInt(v.domain.chainId),
			v.domain.verifyingContract,
		],
	);
});

test("type hashes", async () => {
	assert.equal(await f.escrow.VOUCHER_TYPEHASH(), v.types.UsageVoucher.type_hash);
	assert.equal(await f.escrow.ATTESTATION_TYPEHASH(), v.types.UsageAttestation.type_hash);
	assert.equal(await f.escrow.TERMS_TYPEHASH(), v.types.SessionTerms.type_hash);
});

test("the README quotes every type string", () => {
	const readme = readFileSync(
		new URL("../../controlplane/chain/evm/contracts/README.md", import.meta.url),
		"utf8",
	);
	for (const { type } of Object.values(v.types))
		assert.ok(readme.includes(`\n${type}\n`), type);
});

test("session ids", async () => {
	for (const s of v.session_ids)
		assert.equal(await f.escrow.sessionIdOf(s.buyer, s.salt), s.session_id);
});

test("the first terms are those of the fixture's node, and their hash buys", async () => {
	const { terms, termsHash } = await chain.call(f.escrow, f.buyer, "currentTerms", [
		1,
		ethers.ZeroAddress,
		ethers.ZeroAddress,
	]);
	const expected = v.terms[0];
	for (const [name, value] of Object.entries(expected.message))
		assert.equal(String(terms[name]), value, name);
	assert.equal(termsHash, expected.terms_hash);
	assert.equal(ethers.keccak256(expected.preimage), expected.terms_hash);
	assert.equal((expected.preimage.length - 2) / 2, 384);
});

test("attestor and windows are part of the terms", async () => {
	await chain.send(f.registry, f.operator, "setWindows", [1, 3600, 604800]);
	assert.equal(await f.termsHash(ethers.ZeroAddress, f.attestor), v.terms[1].terms_hash);
	await chain.send(f.registry, f.operator, "setWindows", [1, 0, 0]);
});

test("vouchers and attestations of the file are accepted by the contract, each for its own figure only", async () => {
	const s = v.session_ids[0];
	const id = await f.buy({ mode: Mode.attested, salt: s.salt });
	assert.equal(id, s.session_id);
	for (const voucher of v.vouchers.filter((x) => x.message.sessionId === id)) {
		const given = {
			cumulativeBytes: voucher.message.cumulativeBytes,
			r: voucher.r,
			vs: voucher.vs,
		};
		const expected =
			BigInt(given.cumulativeBytes) > 10n * GB
				? 10n * GB
				: BigInt(given.cumulativeBytes);
		assert.equal(
			await chain.call(f.escrow, f.operator, "claim", [id, given]),
			expected,
		);
		const other = { ...given, cumulativeBytes: BigInt(given.cumulativeBytes) ^ 1n };
		await f.fails(f.operator, "claim", [id, other], "BadVoucher");
	}
	for (const a of v.attestations) {
		const args = [
			id,
			a.message.bytesUsed,
			a.message.checkpointsRoot,
			{ r: a.r, vs: a.vs },
		];
		await chain.call(f.escrow, f.operator, "finalizeAttested", args);
		args[2] = ZERO32;
		await f.fails(f.operator, "finalizeAttested", args, "BadAttestation");
	}
	for (const x of v.vouchers_of_another_chain) {
		const given = { cumulativeBytes: x.message.cumulativeBytes, r: x.r, vs: x.vs };
		await f.fails(f.operator, "claim", [id, given], "BadVoucher");
	}
});

test("splits of the file", async () => {
	for (const s of v.splits) {
		const sum = BigInt(s.operator) + BigInt(s.fee) + BigInt(s.refund);
		assert.equal(sum, BigInt(s.bought_gb) * BigInt(s.price_per_gb));
	}
	const [r] = v.splits;
	assert.deepEqual(
		[r.operator, r.fee, r.refund],
		["5148000000000000", "52000000000000", "4800000000000000"],
	);
});
