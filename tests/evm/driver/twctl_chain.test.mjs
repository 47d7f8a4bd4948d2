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
import { artifact, Chain, mocks, startChain } from "../chain.mjs";
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
			...[["0", /above 0/], ["0.000", /above 0/], ["1.0000000000000000001", /up to 18 decimals/], ["-1", /above 0/], ["1e3", /above 0/],
				["0x1", /above 0/], ["", /above 0/], ["79228162514.264337593543950336", /below 2\^96/], ["1" + "0".repeat(70), /below 2\^96/]]
				.map(([price, message]) => ["register", 2, ["--registry", deployed.registry, "--name", "n", "--region", "r", "--endpoint", "e",
					"--price-per-gb", price], 2, message]),
			["register", 2, ["--name", "n"], 2, /--registry ADDRESS or --escrow ADDRESS is required/],
			["register", 2, ["--escrow", deployed.registry], 1, /refuses|not a contract/],
			["status", 2, ["--chain", "base"], 2, /the configuration has no chains/],
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

// A listing's life out of the YAML: registered with what the configuration knows and with a metadata hash, changed, priced in coins and
// tokens, closed to sales and open again, an attestor accepted; what the registry says is compared, and wrong values send nothing.
test("the node's entry, by the configuration", async () => {
	const chain = await startChain();
	const dir = mkdtempSync(join(tmpdir(), "tollwire-twctl-"));
	try {
		const [, treasury, operator, settler, payout, stranger] = chain.accounts;
		const key = (i, name) => writeFileSync(join(dir, name), Chain.wallet(i).privateKey + "\n", { mode: 0o600 });
		key(0, "deployer.key");
		key(2, "operator.key");
		key(5, "stranger.key");
		key(7, "usage-signer.key");
		const run = (...args) => spawnSync(TWCTL, args, { encoding: "utf8" });
		const must = (...args) => {
			const result = run(...args);
			assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
			return result.stdout;
		};
		const deployed = JSON.parse(must("chain", "deploy", "--rpc", chain.url, "--chain-id", String(chain.chainId), "--key-file",
			join(dir, "deployer.key"), "--artifacts", artifactsDir, "--treasury", treasury, "--json"));
		const registry = new ethers.Contract(deployed.registry, artifact("NodeRegistry").abi, chain.provider);
		const yaml = join(dir, "node.yaml");
		const write = (nodeId, more = "") => writeFileSync(yaml, `node: {name: exit-7, region: eu-north, endpoint: 192.0.2.9, state_dir: ${dir}}
ports: [{name: wan, devargs: net_ring0, role: both, address: 192.0.2.2/24, gateway: 192.0.2.1}]
chains:
  - {name: base, id: ${chain.chainId}, endpoints: ["${chain.url}"], escrow: "${deployed.escrow}", node_id: ${nodeId}, key_file: operator.key}
${more}`);
		const twctl = (command, ...args) => run("--config", yaml, "chain", command, ...args);
		const ok = (...args) => {
			const result = twctl(...args, "--json");
			assert.equal(result.status, 0, `${args.join(" ")}: ${result.stderr}`);
			return JSON.parse(result.stdout);
		};
		write(0);

		const place = { country: "DE", city: "Köln", latitude: "50.9375", longitude: "-6.960300", load: "https://exit.example/api/v1/node" };
		const metadata = (of) => run("chain", "metadata", ...Object.entries(of).map(([k, v]) => `--${k === "load" ? "load-url" : k}=${v}`));
		const made = metadata(place);
		assert.equal(made.status, 0, made.stderr);
		assert.deepEqual(JSON.parse(made.stdout), place);
		const hash = ethers.keccak256(Buffer.from(made.stdout));
		assert.equal(made.stderr, `twctl: the hash is ${hash}\n`);
		writeFileSync(join(dir, "place.json"), made.stdout);
		for (const [name, value] of [["country", "de"], ["country", "DEU"], ["city", ""], ["city", "x".repeat(65)], ["latitude", "90.000001"],
			["latitude", "-91"], ["latitude", "01"], ["latitude", "1.1234567"], ["latitude", "1."], ["latitude", ""], ["latitude", "1e1"],
			["longitude", "180.5"], ["longitude", "--1"], ["load", "ftp://x"]]) {
			const result = metadata({ ...place, [name]: value });
			assert.equal(result.status, 2, `${name} ${value}: ${result.stdout}`);
			assert.match(result.stderr, new RegExp(`--${name}.* '.*': allowed is `));
		}
		assert.equal(metadata({ ...place, latitude: "-90.000000", longitude: "180" }).status, 0);

		const node = ok("register", "--price-per-gb", "0.001", "--wg-public-key", WG_KEY, "--settler", settler, "--payout", payout,
			"--metadata", join(dir, "place.json"));
		assert.equal(node.node_id, "1");
		const entry = async () => (await registry.getNode(1)).node;
		let now = await entry();
		assert.deepEqual([now.name, now.region, now.endpoint, now.operator, now.settler, now.payout, now.usageSigner, now.metadataHash],
			["exit-7", "eu-north", "192.0.2.9:51820", operator, settler, payout, Chain.wallet(7).address, hash]);

		write(1);
		writeFileSync(join(dir, "place.json"), made.stdout.replace("Köln", "Bonn"));
		ok("update", "--region", "eu-west", "--metadata", join(dir, "place.json"), "--payout", treasury);
		now = await entry();
		assert.deepEqual([now.name, now.region, now.payout, now.settler, now.metadataHash],
			["exit-7", "eu-west", treasury, settler, ethers.keccak256(Buffer.from(made.stdout.replace("Köln", "Bonn")))]);
		assert.match(twctl("update", "--region", "eu-west").stderr, /says all of that already/);

		ok("deactivate");
		assert.equal(await registry.isActive(1), false);
		ok("activate", "--chain", "base");
		assert.equal((await registry.offerOf(1, ethers.ZeroAddress, ethers.ZeroAddress)).pricePerGB, PRICE);
		ok("attestor", "--attestor", stranger);
		assert.equal(await registry.acceptsAttestor(1, stranger), true);
		ok("attestor", "--attestor", stranger, "--refuse");
		assert.equal(await registry.acceptsAttestor(1, stranger), false);

		const token = (await chain.deploy(mocks().Stablecoin)).target;
		ok("price", "--asset", token, "--price-per-gb", "0.25");
		assert.equal(await registry.priceOf(1, token), 250000n);
		ok("price", "--price-per-gb", "0.002");
		assert.equal(await registry.priceOf(1, ethers.ZeroAddress), 2n * PRICE);
		ok("price", "--asset", token, "--price-per-gb", "none");
		assert.equal(await registry.priceOf(1, token), 0n);

		const before = await chain.provider.getBlockNumber();
		for (const [args, status, message] of [
			[["price", "--asset", token, "--price-per-gb", "0.2500001"], 2, /up to 6 decimals/],
			[["price", "--asset", token, "--price-per-gb", "0"], 2, /above 0/],
			[["price", "--asset", token, "--price-per-gb", "79228162514264337593543.950336"], 2, /below 2\^96 smallest units, of which one has 10\^6/],
			[["price", "--asset", stranger, "--price-per-gb", "1"], 1, /no token \(ERC-20\) at that address/],
			[["price", "--asset", deployed.registry, "--price-per-gb", "1"], 1, /no token \(ERC-20\) at that address/],
			[["price"], 2, /--price-per-gb AMOUNT is required/],
			[["activate", "--key-file", join(dir, "stranger.key")], 1, /the contract refuses: NotOperator/],
			[["activate", "--node", "2"], 1, /the contract refuses: UnknownNode/],
			[["activate", "--node", "0"], 2, /a node's id/],
			[["activate", "--chain", "bsae"], 2, /--chain 'bsae': allowed is base/],
			[["update", "--metadata", yaml], 1, /is no JSON/],
			[["update", "--metadata", join(dir, "none.json")], 1, /No such file/],
			[["update", "--bandwidth-mbps", "0"], 2, /from 1 to 4294967295/],
		]) {
			const result = twctl(...args);
			assert.equal(result.status, status, `${args.join(" ")}: ${result.stderr}`);
			assert.match(result.stderr, message);
		}
		writeFileSync(join(dir, "place.json"), '{"country":"DE","city":"X","latitude":50,"longitude":"6","load":"https://x"}');
		assert.match(twctl("update", "--metadata", join(dir, "place.json")).stderr, /member 'latitude' is 'missing, or no text'/);
		assert.equal(await chain.provider.getBlockNumber(), before, "something was sent");

		// Two chains: none is meant by default.
		write(1, `  - {name: other, id: 7, endpoints: ["http://127.0.0.1:1"], escrow: "${deployed.escrow}", node_id: 1}\n`);
		assert.match(twctl("activate").stderr, /or --chain NAME out of the configuration/);
		ok("activate", "--chain", "base");
		assert.match(twctl("activate", "--chain", "other").stderr, /settler\.key/);
		assert.match(twctl("activate", "--chain", "other", "--key-file", join(dir, "operator.key")).stderr, /unreachable/);
		assert.equal(JSON.parse(twctl("balance", "--chain", "base", "--json").stdout).account, operator);
	} finally {
		await chain.stop();
		rmSync(dir, { recursive: true, force: true });
	}
});
