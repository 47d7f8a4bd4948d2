// SPDX-License-Identifier: Apache-2.0
//
// A buyer's wallet that is not ours: signs with another library what the node's API asks a buyer to
// sign, and brings it there. For the end-to-end tests of buyers who do not behave as twctl does.
//
//	node wallet.mjs API-URL KEY-FILE CHAIN-ID ESCROW SESSION-ID peer NODE-ID PUBLIC-KEY
//	node wallet.mjs API-URL KEY-FILE CHAIN-ID ESCROW SESSION-ID voucher BYTES
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

async function sign_voucher([bytes]) {
	const domain = {
		name: "tollwire EscrowPayment",
		version: "1",
		chainId,
		verifyingContract: escrow,
	};
	const types = {
		UsageVoucher: [
			{ name: "sessionId", type: "bytes32" },
			{ name: "cumulativeBytes", type: "uint256" },
		],
	};
	const message = { sessionId, cumulativeBytes: BigInt(bytes) };
	return {
		cumulative_bytes: bytes,
		signature: await wallet.signTypedData(domain, types, message),
	};
}

const body = command === "peer" ? await sign_peer(args) : await sign_voucher(args);
const path = command === "peer" ? "peer" : "vouchers";
const response = await fetch(`${api}/api/v1/sessions/${sessionId}/${path}`, {
	method: "POST",
	headers: { "Content-Type": "application/json" },
	body: JSON.stringify(body),
});
console.log(JSON.stringify({ status: response.status, reply: await response.json() }));
