// SPDX-License-Identifier: Apache-2.0
//
// twctl chain deploy, register, status, balance and withdraw against a real node: what they print is compared with what the chain
// says, and a node deployed by them sells, settles and pays.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ethers } from "ethers";
import { artifact, Chain, startChain } from "../chain.mjs";
import { artifactsDir } from "../compile.mjs";
import { PRICE, ROOT, TOOL } from "./harness.mjs";

const TWCTL = join(dirname(TOOL), "../../../controlplane/twctl/twctl");
const WG_KEY = Buffer.from(ethers.getBytes(ethers.id("wireguard"))).toString("base64");

test("deploy, register, sell, settle, balance, withdraw", async () => {
	const chain = await startChain();
	const dir = mkdtempSync(join(tmpdir(), "tollwire-twctl-"));
	try {
		const [owner, treasury, operator, , payout, buyer] = chain.accounts;
		const key = (i) => {
			const path = join(dir, `key-${i}`);
			writeFileSync(path, Chain.wallet(i).privateKey + "\n", { mode: 0o600 });
			return path;
		};
		const twctl = (command, i, ...args) => spawnSync(TWCTL, ["chain", command, "--rpc", chain.url, "--chain-id", String(chain.chainId),
			"--key-file", key(i), ...args], { encoding: "utf8" });
		const ok = (command, i, ...args) => {
			const result = twctl(command, i, ...args, "--json");
			assert.equal(result.status, 0, result.stderr);
			return JSON.parse(result.stdout);
		};

		const deployed = ok("deploy", 0, "--artifacts", artifactsDir, "--treasury", treasury);
		const at = (name, address) => new ethers.Contract(address, artifact(name).abi, chain.provider);
		const registry = at("NodeRegistry", deployed.registry);
		const escrow = at("EscrowPayment", deployed.escrow);
		assert.equal(await registry.escrow(), deployed.escrow);
		assert.equal(await escrow.owner?.() ?? owner, owner);

		const node = ok("register", 2, "--registry", deployed.registry, "--name", "exit-1", "--region", "eu-central",
			"--price-per-gb", "0.001", "--bandwidth-mbps", "10000", "--endpoint", "192.0.2.1:51820",
			"--api-url", "https://192.0.2.1:8443", "--wg-public-key", WG_KEY, "--usage-signer", operator, "--payout", payout);
		assert.equal(node.node_id, "1");
		const offer = await registry.offerOf(1, ethers.ZeroAddress, ethers.ZeroAddress);
		assert.equal(offer.pricePerGB, PRICE);
		assert.equal(offer.payout, payout);
		assert.equal(offer.usageSigner, operator);
		assert.equal(offer.wgPublicKey, ethers.id("wireguard"));

		// Somebody buys 10 GB and the operator settles without use: a refund, no credit. Then one that was used.
		const terms = (await escrow.currentTerms(1, ethers.ZeroAddress, ethers.ZeroAddress)).termsHash;
		const order = (salt) => [1, 10, 86400, 0, Chain.wallet(6).address, ethers.ZeroAddress, ethers.toBeHex(salt, 32), terms];
		const bought = await chain.send(escrow, buyer, "createSession", order(1), { value: 10n * PRICE });
		const id = bought.events[0].args.sessionId;
		const signature = ethers.Signature.from(await Chain.wallet(6).signTypedData(
			{ name: "tollwire EscrowPayment", version: "1", chainId: chain.chainId, verifyingContract: deployed.escrow },
			{ UsageVoucher: [{ name: "sessionId", type: "bytes32" }, { name: "cumulativeBytes", type: "uint256" }] },
			{ sessionId: id, cumulativeBytes: 5_200_000_000n }));
		await chain.send(escrow, operator, "finalizeSession", [id, 5_200_000_000n, ROOT,
			{ cumulativeBytes: 5_200_000_000n, r: signature.r, vs: signature.yParityAndS }]);

		const balance = ok("balance", 4, "--escrow", deployed.escrow);
		assert.equal(balance.withdrawable, "5148000000000000");
		assert.equal(balance.balance_wei, String(await chain.balance(payout)));
		assert.equal(ok("balance", 4, "--escrow", deployed.escrow, "--of", treasury).withdrawable, "52000000000000");

		const stranger = Chain.wallet(20).address;
		const drawn = ok("withdraw", 4, "--escrow", deployed.escrow, "--to", stranger);
		assert.equal(drawn.amount, "5148000000000000");
		assert.equal(await chain.balance(stranger), 5148000000000000n);
		assert.equal(ok("balance", 4, "--escrow", deployed.escrow).withdrawable, "0");

		const status = ok("status", 2);
		assert.equal(status.chain_id, chain.chainId);
		assert.equal(status.account, operator);
		assert.equal(status.account_nonce, 2);
		assert.match(twctl("status", 2).stdout, /^account {3}0x[0-9a-fA-F]{40}, 9999\.\d+ coins, account nonce 2$/m);

		// What must be refused, with a message that names it.
		for (const [command, i, args, code, message] of [
			["withdraw", 4, ["--escrow", deployed.escrow], 1, /the contract refuses: NothingToWithdraw/],
			["balance", 4, ["--escrow", stranger], 1, /there is no escrow contract/],
			["balance", 4, ["--escrow", "0x12"], 2, /0x and 40 hex digits/],
			["balance", 4, ["--escrow", deployed.escrow.replace(/[a-f]/, (c) => c.toUpperCase())], 2, /EIP-55/],
			["register", 2, ["--registry", deployed.registry], 2, /--name is required/],
			["register", 2, ["--registry", deployed.registry, "--name", "n", "--region", "r", "--endpoint", "e", "--price-per-gb", "0"], 2, /above 0/],
			["register", 2, ["--registry", deployed.registry, "--name", "n", "--region", "r", "--endpoint", "e", "--price-per-gb", "1.0000000000000000001"], 2, /18 decimals/],
			["register", 2, ["--registry", deployed.registry, "--name", "x".repeat(65)], 2, /1 to 64 bytes/],
			["deploy", 0, ["--artifacts", dir, "--treasury", treasury], 1, /NodeRegistry\.json: cannot be read/],
			["deploy", 0, ["--artifacts", artifactsDir], 2, /--treasury ADDRESS is required/],
		]) {
			const result = twctl(command, i, ...args);
			assert.equal(result.status, code, `${command} ${args}: ${result.stderr}`);
			assert.match(result.stderr, message);
		}
		const open = key(2);
		chmodSync(open, 0o644);
		const args = ["chain", "status", "--rpc", chain.url, "--chain-id", String(chain.chainId), "--key-file", open];
		const readable = spawnSync(TWCTL, args, { encoding: "utf8" });
		assert.equal(readable.status, 1);
		assert.match(readable.stderr, /mode 0644.*chmod 600/);
		chmodSync(open, 0o600);
		args[5] = "1";
		assert.match(spawnSync(TWCTL, args, { encoding: "utf8" }).stderr, /wrong_chain: serves chain 0x7a69, configured is 1/);
		args[3] = "http://127.0.0.1:1";
		assert.match(spawnSync(TWCTL, args, { encoding: "utf8" }).stderr, /unreachable/);
	} finally {
		await chain.stop();
		rmSync(dir, { recursive: true, force: true });
	}
});
