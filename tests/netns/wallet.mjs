// SPDX-License-Identifier: Apache-2.0
//
// A wallet that is not ours: signs with another library what the node's API asks a buyer or an attestor
// to sign, and brings it there. For the end-to-end tests of those who do not behave as twctl does.
//
//	node wallet.mjs API-URL KEY-FILE CHAIN-ID ESCROW SESSION-ID COMMAND
//		peer NODE-ID PUBLIC-KEY
//		voucher BYTES
//		attestation BYTES ROOT
//
// Prints {status, reply}. Exit code 0 whatever the node answered: who asks decides.
import { readFileSync } from "node:fs";
import { ethers } from "ethers";

const [api, keyFile, chainId, escrow, sessionId, command, ...args] = process.argv.slice(2);
const wallet = new ethers.Wallet(readFileSync(keyFile, "utf8").trim());

async function sign_peer([nodeId, publicKey]) {
	const issuedAt = Math.floor(Date.now() / 1000);
	const text = [
		"Use this WireGuard key for my tollwire session.",
		"",
		`Chain ID: ${chainId}`,
		`Escrow: ${ethers.getAddress(escrow)}`,
		`Node: ${ethers.toBeHex(nodeId, 32)}`,
		`Session: ${sessionId}`,
		`Public Key: ${publicKey}`,
		`Issued At: ${issuedAt}`,
	].join("\n");
	return {
		public_key: publicKey,
		issued_at: issuedAt,
		signature: await wallet.signMessage(text),
	};
}

const DOMAIN = {
	name: "tollwire EscrowPayment",
	version: "1",
	chainId,
	verifyingContract: escrow,
};

async function sign_voucher([bytes]) {
	const types = {
		UsageVoucher: [
			{ name: "sessionId", type: "bytes32" },
			{ name: "cumulativeBytes", type: "uint256" },
		],
	};
	const message = { sessionId, cumulativeBytes: BigInt(bytes) };
	return {
		cumulative_bytes: bytes,
		signature: await wallet.signTypedData(DOMAIN, types, message),
	};
}

async function sign_attestation([bytes, root]) {
	const types = {
		UsageAttestation: [
			{ name: "sessionId", type: "bytes32" },
			{ name: "bytesUsed", type: "uint256" },
			{ name: "checkpointsRoot", type: "bytes32" },
		],
	};
	const message = { sessionId, bytesUsed: BigInt(bytes), checkpointsRoot: root };
	return {
		session_id: sessionId,
		bytes_used: bytes,
		checkpoints_root: root,
		signature: await wallet.signTypedData(DOMAIN, types, message),
	};
}

const [path, sign] = {
	peer: ["peer", sign_peer],
	voucher: ["vouchers", sign_voucher],
	attestation: ["attestation", sign_attestation],
}[command];
const body = await sign(args);
const response = await fetch(`${api}/api/v1/sessions/${sessionId}/${path}`, {
	method: "POST",
	headers: { "Content-Type": "application/json" },
	body: JSON.stringify(body),
});
console.log(JSON.stringify({ status: response.status, reply: await response.json() }));
