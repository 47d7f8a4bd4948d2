// SPDX-License-Identifier: Apache-2.0
//
// Writes tests/vectors/evm_terms.json: everything that is hashed or signed for the escrow, computed
// with ethers alone (never by the contracts, which a test compares with it). Deterministic: node
// tests/evm/vectors.mjs changes nothing if nothing changed.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ethers } from "ethers";
import { Chain, artifact } from "./chain.mjs";
import { root } from "./compile.mjs";
import { TYPES, compact, split } from "./fixture.mjs";

export const path = join(root, "tests/vectors/evm_terms.json");
const MAX64 = (1n << 64n) - 1n;
const MAX256 = (1n << 256n) - 1n;

// The addresses that the test mnemonic gives the first contracts of account 0 on the local chain.
const registry = ethers.getCreateAddress({ from: Chain.wallet(0).address, nonce: 0 });
const escrow = ethers.getCreateAddress({ from: Chain.wallet(0).address, nonce: 1 });
export const domain = {
	name: "tollwire EscrowPayment",
	version: "1",
	chainId: 31337,
	verifyingContract: escrow,
};

const text = (value) => (typeof value === "bigint" ? value.toString() : value);
const plain = (object) => Object.fromEntries(Object.entries(object).map(([k, v]) => [k, text(v)]));

function signed(types, wallet, message, signing_domain = domain) {
	const encoder = ethers.TypedDataEncoder.from(types);
	const digest = ethers.TypedDataEncoder.hash(signing_domain, types, message);
	const signature = wallet.signingKey.sign(digest);
	return {
		message: plain(message),
		struct_hash: encoder.hash(message),
		digest,
		private_key: wallet.privateKey,
		signer: wallet.address,
		r: signature.r,
		s: signature.s,
		y_parity: signature.yParity,
		vs: compact(signature).vs,
	};
}

const terms_of = (changes) => ({
	nodeId: 1n,
	asset: ethers.ZeroAddress,
	pricePerGB: ethers.parseEther("0.001"),
	payout: Chain.wallet(4).address,
	feeBps: 100n,
	treasury: Chain.wallet(1).address,
	attestor: ethers.ZeroAddress,
	windowSec: 86400n,
	graceSec: 86400n,
	wgPublicKey: ethers.id("wireguard"),
	usageSigner: Chain.wallet(9).address,
	...changes,
});

// What a call, a log or a revert begins with, for all that the contracts have: { "name(types)":
// octets }.
function interface_of(name) {
	const iface = new ethers.Interface(artifact(name).abi);
	const all = (type, value) =>
		Object.fromEntries(
			iface.fragments
				.filter((x) => x.type === type)
				.map((x) => [x.format("sighash"), value(x)]),
		);
	return {
		functions: all("function", (x) => x.selector),
		events: all("event", (x) => x.topicHash),
		errors: all("error", (x) => x.selector),
	};
}

export function vectors() {
	const session_ids = [
		[5, ethers.toBeHex(1, 32)],
		[5, ethers.toBeHex(2, 32)],
		[6, ethers.toBeHex(MAX256, 32)],
		[7, ethers.ZeroHash],
	].map(([i, salt]) => {
		const buyer = Chain.wallet(i).address;
		const preimage = ethers.AbiCoder.defaultAbiCoder().encode(
			["uint256", "address", "address", "bytes32"],
			[domain.chainId, escrow, buyer, salt],
		);
		return {
			chain_id: domain.chainId,
			escrow,
			buyer,
			salt,
			preimage,
			session_id: ethers.keccak256(preimage),
		};
	});
	const id = session_ids[0].session_id;
	const other = session_ids[2].session_id;
	const [voucher_key, attestor_key, usage_key] = [
		Chain.wallet(6),
		Chain.wallet(7),
		Chain.wallet(9),
	];
	const previous = ethers.id("previous");
	const terms = [
		{},
		{ attestor: Chain.wallet(7).address, windowSec: 3600n, graceSec: 604800n },
		{
			nodeId: MAX64,
			pricePerGB: (1n << 96n) - 1n,
			feeBps: 10000n,
			asset: "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48",
		},
		{ nodeId: 2n, pricePerGB: 1n, feeBps: 0n, wgPublicKey: ethers.toBeHex(MAX256, 32) },
	].map((changes) => {
		const message = terms_of(changes);
		const encoder = ethers.TypedDataEncoder.from(TYPES.terms);
		return {
			message: plain(message),
			preimage: encoder.encodeData("SessionTerms", message),
			terms_hash: encoder.hash(message),
		};
	});
	const splits = [
		[5200000000n, 10n, "1000000000000000", 100n],
		[0n, 10n, "1000000000000000", 100n],
		[10000000000n, 10n, "1000000000000000", 100n],
		[1n, 1n, "1", 100n],
		[999999999n, 1n, "1", 100n],
		[1000000000n, 1n, "1", 10000n],
		[123456789n, 3n, "2000001", 137n],
		[4294967295000000000n, 4294967295n, ((1n << 96n) - 1n).toString(), 500n],
	].map(([n, gb, price, bps]) => ({
		bytes: n.toString(),
		bought_gb: gb.toString(),
		price_per_gb: price,
		fee_bps: bps.toString(),
		...plain(split(n, gb * 1000000000n, BigInt(price), bps)),
	}));
	const type_strings = Object.fromEntries(
		Object.values(TYPES).map((types) => {
			const encoder = ethers.TypedDataEncoder.from(types);
			const string = encoder.encodeType(encoder.primaryType);
			return [
				encoder.primaryType,
				{ type: string, type_hash: ethers.id(string) },
			];
		}),
	);
	return {
		origin: "tests/evm/vectors.mjs, computed with ethers 6.17.0; tests/evm/vectors.test.mjs compares the contracts with it",
		numbers: "decimal strings; octets in hexadecimal",
		domain: {
			...domain,
			registry,
			separator: ethers.TypedDataEncoder.hashDomain(domain),
		},
		types: type_strings,
		session_ids,
		terms,
		vouchers: [0n, 1n, 5200000000n, MAX64, MAX256].map((n) =>
			signed(TYPES.voucher, voucher_key, {
				sessionId: n === 1n ? other : id,
				cumulativeBytes: n,
			}),
		),
		vouchers_of_another_chain: [
			{
				chain_id: 1,
				...signed(
					TYPES.voucher,
					voucher_key,
					{ sessionId: id, cumulativeBytes: 1n },
					{ ...domain, chainId: 1 },
				),
			},
		],
		attestations: [0n, 5200000000n, 10000000000n].map((n) =>
			signed(TYPES.attestation, attestor_key, {
				sessionId: id,
				bytesUsed: n,
				checkpointsRoot: ethers.id("checkpoints"),
			}),
		),
		checkpoints: [
			{
				sequence: 0n,
				outBytes: 0n,
				inBytes: 0n,
				time: 1700000000n,
				previousHash: ethers.ZeroHash,
			},
			{
				sequence: 1n,
				outBytes: 1000000n,
				inBytes: 99000000n,
				time: 1700000060n,
				previousHash: previous,
			},
			{
				sequence: MAX64,
				outBytes: MAX64,
				inBytes: MAX64,
				time: MAX64,
				previousHash: previous,
			},
		].map((c) => signed(TYPES.checkpoint, usage_key, { sessionId: id, ...c })),
		splits,
		interfaces: {
			NodeRegistry: interface_of("NodeRegistry"),
			EscrowPayment: interface_of("EscrowPayment"),
		},
	};
}

export const vectors_text = () => `${JSON.stringify(vectors(), null, "\t")}\n`;

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
	writeFileSync(path, vectors_text());
