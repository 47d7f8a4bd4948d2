// SPDX-License-Identifier: Apache-2.0
//
// Who signed a WireGuard configuration, by another library than the node's: reads from standard input what
// POST peer or GET config answered, and prints the address.
//
//	node config_signer.mjs CHAIN-ID ESCROW NODE-ID SESSION-ID
import { readFileSync } from "node:fs";
import { ethers } from "ethers";

const [chainId, escrow, nodeId, sessionId] = process.argv.slice(2);
const { config, signature } = JSON.parse(readFileSync(0, "utf8"));
const covered = config
	.split("\n")
	.filter((line) => line !== "" && !line.startsWith("#") && !line.startsWith("PrivateKey"));
const text = [
	"This WireGuard configuration belongs to a tollwire session.",
	"",
	`Chain ID: ${chainId}`,
	`Escrow: ${ethers.getAddress(escrow)}`,
	`Node: ${ethers.toBeHex(nodeId, 32)}`,
	`Session: ${sessionId}`,
	"",
	...covered,
	"",
].join("\n");
console.log(ethers.verifyMessage(text, signature));
