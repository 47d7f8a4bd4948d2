// SPDX-License-Identifier: Apache-2.0
//
// A second opinion on a file of usage checkpoints, written from the format's description with other people's libraries: ethers for
// EIP-712 and signatures, @openzeppelin/merkle-tree for the tree. Shares no code with the product. Returns the name of the first
// fault, or "none".
import { StandardMerkleTree } from "@openzeppelin/merkle-tree";
import { ethers } from "ethers";

export const LEAF = ["bytes32", "uint256", "uint256", "uint256", "uint256", "bytes32"];
export const TYPES = {
	UsageCheckpoint: [
		{ name: "sessionId", type: "bytes32" },
		{ name: "sequence", type: "uint256" },
		{ name: "outBytes", type: "uint256" },
		{ name: "inBytes", type: "uint256" },
		{ name: "time", type: "uint256" },
		{ name: "previousHash", type: "bytes32" },
	],
};
const U64 = (1n << 64n) - 1n;
const HEX = (n) => new RegExp(`^0x[0-9a-fA-F]{${2 * n}}$`);

export function domain(chainId, escrow) {
	if (BigInt(chainId) === 0n) return { name: "tollwire node", version: "1", chainId: 0, verifyingContract: ethers.ZeroAddress };
	return { name: "tollwire EscrowPayment", version: "1", chainId, verifyingContract: escrow };
}

export const message = (id, c) => ({
	sessionId: id, sequence: c.sequence, outBytes: c.out_bytes, inBytes: c.in_bytes, time: c.time_unix_sec, previousHash: c.previous_hash,
});
export const structHash = (id, c) => ethers.TypedDataEncoder.hashStruct("UsageCheckpoint", TYPES, message(id, c));
export const leafOf = (id, c) => [id, c.sequence, c.out_bytes, c.in_bytes, c.time_unix_sec, c.previous_hash];

function number(v, min = 0n) {
	let value;
	if (typeof v === "number" && Number.isSafeInteger(v)) value = BigInt(v);
	else if (typeof v === "string" && /^(0|[1-9][0-9]*)$/.test(v)) value = BigInt(v);
	else throw new Error("format");
	if (value < min || value > U64) throw new Error("format");
	return value;
}

function hex(v, n) {
	if (typeof v !== "string" || !HEX(n).test(v)) throw new Error("format");
	return v.toLowerCase();
}

function known(object, names) {
	if (typeof object !== "object" || object === null || Array.isArray(object)) throw new Error("format");
	for (const name of Object.keys(object)) if (!names.includes(name)) throw new Error("format");
}

function parse(text) {
	let file;
	try {
		file = JSON.parse(text);
	} catch {
		throw new Error("format");
	}
	known(file, ["format", "id", "chain_id", "escrow", "session_id", "total_out_bytes", "total_in_bytes", "checkpoints", "next_sequence"]);
	if (file.format !== "tollwire-checkpoints-1" || !Array.isArray(file.checkpoints)) throw new Error("format");
	const chain = number(file.chain_id);
	const escrow = chain === 0n ? undefined : hex(file.escrow, 20);
	if (chain === 0n && file.escrow != null) throw new Error("format");
	return {
		chain, escrow,
		id: hex(file.session_id, 32),
		out: number(file.total_out_bytes),
		in: number(file.total_in_bytes),
		more: file.next_sequence != null,
		list: file.checkpoints.map((c) => {
			known(c, ["sequence", "out_bytes", "in_bytes", "time_unix_sec", "previous_hash", "hash", "signature", "proof"]);
			if (c.proof != null && (!Array.isArray(c.proof) || c.proof.length > 32)) throw new Error("format");
			return {
				sequence: number(c.sequence, 1n), out_bytes: number(c.out_bytes), in_bytes: number(c.in_bytes),
				time_unix_sec: number(c.time_unix_sec), previous_hash: hex(c.previous_hash, 32), signature: hex(c.signature, 65),
				hash: c.hash == null ? undefined : hex(c.hash, 32), proof: c.proof?.map((p) => hex(p, 32)),
			};
		}),
	};
}

function chained(file) {
	let last;
	for (const c of file.list) {
		if (c.sequence !== (last ? last.sequence + 1n : 1n)) return false;
		if (c.previous_hash !== (last ? structHash(file.id, last) : ethers.ZeroHash)) return false;
		if (last && (c.out_bytes < last.out_bytes || c.in_bytes < last.in_bytes || c.time_unix_sec < last.time_unix_sec)) return false;
		if (c.hash !== undefined && c.hash !== structHash(file.id, c)) return false;
		last = c;
	}
	return true;
}

function signedBy(file, signer) {
	const own = domain(file.chain, file.escrow);
	return file.list.every((c) => {
		try {
			const v = Number(`0x${c.signature.slice(-2)}`);
			if (v !== 27 && v !== 28) return false; // ethers would take more forms than contracts do
			return ethers.verifyTypedData(own, TYPES, message(file.id, c), c.signature).toLowerCase() === signer.toLowerCase();
		} catch {
			return false;
		}
	});
}

export function verify(text, { signer, root }) {
	let file;
	try {
		file = parse(text);
	} catch {
		return "format";
	}
	if (file.list.length === 0) return "empty";
	if (!chained(file)) return "chain";
	if (!signedBy(file, signer)) return "signature";
	const last = file.list.at(-1);
	if (file.more || last.out_bytes !== file.out || last.in_bytes !== file.in || last.out_bytes + last.in_bytes > U64) return "sum";
	const tree = StandardMerkleTree.of(file.list.map((c) => leafOf(file.id, c)), LEAF);
	for (const c of file.list) {
		if (c.proof && !StandardMerkleTree.verify(tree.root, LEAF, leafOf(file.id, c), c.proof)) return "proof";
	}
	return root === undefined || tree.root === root.toLowerCase() ? "none" : "root";
}
