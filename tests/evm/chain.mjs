// SPDX-License-Identifier: Apache-2.0
//
// A real EVM node for tests: starts anvil on a free port of the loopback address, deploys
// tollwire's contracts on it, and stops it when the process that started it ends. Nothing is mocked
// and nothing is kept on disk.
//
// From JavaScript:
//	const chain = await startChain();
//	const { registry, escrow } = await deployTollwire(chain);
//	const { events, gasUsed } = await chain.send(escrow, buyer, "topUp", [id, 1, 0], { value });
//	await chain.fails(escrow, stranger, "topUp", [id, 1, 0], { value }, "NotBuyer"); // a call only
//	await chain.stop();
//
// From anything else (C drivers, scripts):
//	node tests/evm/chain.mjs [--no-deploy] [--block-time SECONDS] [-- anvil arguments]
// prints one line of JSON on stdout {rpcUrl, chainId, pid, registry, escrow, owner, treasury,
// accounts: [{address, key}]} and runs until its standard input ends or it gets a signal; so a
// caller that dies takes the node with it. Accounts: 0 deploys and owns, 1 is the treasury; all are
// funded and unlocked.
//
// Time is the chain's: setTime() mines a block at that second, and calls see it. Blocks are mined
// for each transaction.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { ethers } from "ethers";
import { artifactsDir, compile, mocksDir, read_sources, root, settings } from "./compile.mjs";

// By path and not from .bin: the package is named directly, since npm 9 under node 18 skips it in
// silence as an optional one.
const ANVIL = join(root, "tests/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil");
const MNEMONIC = "test test test test test test test test test test test junk";
// Of a machine that has other things to do.
const START_TIMEOUT_MS = 120000;
const RECEIPT_TIMEOUT_MS = 120000;

const running = new Set();
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
	process.once(signal, () => {
		for (const child of running) child.kill("SIGKILL");
		process.exit(1);
	});
}
process.on("exit", () => {
	for (const child of running) child.kill("SIGKILL");
});

// Where util-linux has setpriv, the kernel ends the node with its parent, however that died.
const SETPRIV = "/usr/bin/setpriv";
const LAUNCH = existsSync(SETPRIV) ? [SETPRIV, "--pdeathsig", "KILL", ANVIL] : [ANVIL];

// Starts anvil and resolves with its URL once it listens. Rejects with its output where it does
// not.
function start_anvil(args) {
	return new Promise((resolve, reject) => {
		const own = ["--host", "127.0.0.1", "--port", "0", "--mnemonic", MNEMONIC];
		const [command, ...first] = LAUNCH;
		const child = spawn(command, [...first, ...own, ...args], {
			stdio: ["ignore", "pipe", "pipe"],
		});
		running.add(child);
		let output = "";
		const timer = setTimeout(() => child.kill("SIGKILL"), START_TIMEOUT_MS);
		const watch = (data) => {
			output += data;
			const found = /Listening on (127\.0\.0\.1:\d+)/.exec(output);
			if (!found) return;
			clearTimeout(timer);
			// Keep draining, or a full pipe would stop the node.
			child.stdout.off("data", watch).resume();
			child.stderr.resume();
			resolve({ child, url: `http://${found[1]}` });
		};
		child.stdout.setEncoding("utf8").on("data", watch);
		child.stderr.setEncoding("utf8").on("data", (data) => (output += data));
		child.on("error", reject);
		child.on("exit", (code, signal) => {
			clearTimeout(timer);
			running.delete(child);
			reject(
				new Error(
					`anvil ended (${signal ?? code}) before it listened:\n${output}`,
				),
			);
		});
	});
}

export class Chain {
	constructor(child, url) {
		this.child = child;
		this.url = url;
		this.provider = new ethers.JsonRpcProvider(url, undefined, {
			staticNetwork: true,
			cacheTimeout: -1,
			batchMaxCount: 1,
		});
	}

	async init() {
		this.chainId = Number((await this.provider.getNetwork()).chainId);
		// Every test account is unlocked in the node, so most transactions need no signing
		// here.
		this.accounts = (await this.rpc("eth_accounts")).map(ethers.getAddress);
		this.keys = this.accounts.map((_, i) => Chain.wallet(i).privateKey);
		return this;
	}

	// Wallet number i of the test mnemonic; the first ten are the funded accounts.
	static wallet(i) {
		return ethers.HDNodeWallet.fromPhrase(MNEMONIC, "", `m/44'/60'/0'/0/${i}`);
	}

	rpc(method, ...params) {
		return this.provider.send(method, params);
	}

	async stop() {
		this.provider.destroy();
		if (this.child.exitCode !== null || this.child.signalCode !== null) return;
		const gone = new Promise((resolve) => this.child.once("exit", resolve));
		this.child.kill("SIGKILL");
		await gone;
	}

	snapshot() {
		return this.rpc("evm_snapshot");
	}

	// A snapshot is used up by reverting to it: returns the id of a new one of the same state.
	async revert(id) {
		assert.equal(await this.rpc("evm_revert", id), true, "evm_revert");
		return this.snapshot();
	}

	async now() {
		return Number((await this.rpc("eth_getBlockByNumber", "latest", false)).timestamp);
	}

	// Mines a block at `unixSec`; what is called after it sees that time.
	async setTime(unixSec) {
		await this.rpc("evm_setNextBlockTimestamp", Number(unixSec));
		await this.rpc("evm_mine");
	}

	async advance(seconds) {
		await this.setTime((await this.now()) + Number(seconds));
	}

	balance(address) {
		return this.provider.getBalance(address);
	}

	request(contract, from, fn, args = [], { value = 0n } = {}) {
		return {
			from: from.address ?? from,
			to: contract.target,
			value: ethers.toQuantity(value),
			data: contract.interface.encodeFunctionData(fn, args),
		};
	}

	// The decoded name of a custom error, or what the node says.
	static reason(contract, error) {
		const data = error?.info?.error?.data ?? error?.error?.data ?? error?.data;
		if (typeof data !== "string" || data === "0x") return "";
		return contract.interface.parseError(data)?.name ?? data;
	}

	// Calls without sending; throws an Error with `reason`. One result is returned bare,
	// several as ethers' Result.
	async call(contract, from, fn, args, options) {
		let data;
		try {
			data = await this.rpc(
				"eth_call",
				this.request(contract, from, fn, args, options),
				"latest",
			);
		} catch (error) {
			const reason = Chain.reason(contract, error);
			throw Object.assign(
				new Error(`${fn} reverted: ${reason || error.message}`),
				{ reason },
			);
		}
		const result = contract.interface.decodeFunctionResult(fn, data);
		return result.length === 1 ? result[0] : result;
	}

	// Asserts that the call is refused for exactly this reason (the error's name; "" for a
	// revert without data).
	async fails(contract, from, fn, args, options, reason) {
		if (typeof options === "string") [options, reason] = [{}, options];
		let result;
		try {
			result = await this.call(contract, from, fn, args, options);
		} catch (error) {
			if (error.reason === undefined) throw error;
			assert.equal(error.reason, reason, `${fn}: wrong reason`);
			return;
		}
		assert.fail(`${fn}: expected ${reason}, but it returned ${result}`);
	}

	// The node mines each transaction by itself, but answers before it has: asks until the
	// receipt is there.
	async receipt(hash) {
		const until = Date.now() + RECEIPT_TIMEOUT_MS;
		for (let wait = 1; ; wait = Math.min(2 * wait, 50)) {
			const receipt = await this.rpc("eth_getTransactionReceipt", hash);
			if (receipt) return receipt;
			if (Date.now() > until) throw new Error(`no receipt for ${hash}`);
			await delay(wait);
		}
	}

	// Sends and waits; throws with the reason if it reverts. The receipt gains `events` [{
	// name, args, address }] of `contract`.
	async send(contract, from, fn, args, options = {}) {
		const request = this.request(contract, from, fn, args, options);
		request.gas = ethers.toQuantity(options.gas ?? 25_000_000n);
		const hash = await this.rpc("eth_sendTransaction", request);
		const receipt = await this.receipt(hash);
		if (receipt.status !== "0x1") {
			await this.call(contract, from, fn, args, options);
			throw new Error(`${fn} failed in a transaction, though a call succeeds`);
		}
		const events = [];
		for (const log of receipt.logs) {
			if (log.address.toLowerCase() !== contract.target.toLowerCase()) continue;
			const parsed = contract.interface.parseLog(log);
			if (parsed) events.push({ name: parsed.name, args: parsed.args });
		}
		return {
			hash,
			gasUsed: BigInt(receipt.gasUsed),
			input: request.data,
			block: Number(receipt.blockNumber),
			events,
			logs: receipt.logs,
		};
	}

	// Deploys an artifact from the first account (or `from`) and returns an ethers Contract for
	// its address.
	async deploy(artifact, args = [], from = this.accounts[0]) {
		const iface = new ethers.Interface(artifact.abi);
		const data = ethers.concat([artifact.bytecode, iface.encodeDeploy(args)]);
		const hash = await this.rpc("eth_sendTransaction", {
			from,
			data,
			gas: ethers.toQuantity(25_000_000n),
		});
		const receipt = await this.receipt(hash);
		if (receipt.status !== "0x1") {
			try {
				await this.rpc("eth_call", { from, data }, "latest");
			} catch (error) {
				const reason = Chain.reason({ interface: iface }, error);
				throw Object.assign(
					new Error(
						`deploying ${artifact.contractName}: ${reason || error.message}`,
					),
					{ reason },
				);
			}
			throw new Error(`deploying ${artifact.contractName} failed`);
		}
		return new ethers.Contract(
			ethers.getAddress(receipt.contractAddress),
			iface,
			this.provider,
		);
	}
}

export async function startChain(...args) {
	const { child, url } = await start_anvil(args);
	return new Chain(child, url).init();
}

// An artifact of the product, as it is committed.
export function artifact(name) {
	return JSON.parse(readFileSync(join(artifactsDir, `${name}.json`), "utf8"));
}

// The test contracts of tests/evm/contracts, compiled once for each state of their sources.
export function mocks() {
	const key = createHash("sha256")
		.update(JSON.stringify([read_sources(mocksDir), settings]))
		.digest("hex")
		.slice(0, 32);
	const dir = join(root, "tests/node_modules/.cache/tollwire");
	const path = join(dir, `mocks-${key}.json`);
	if (existsSync(path)) return JSON.parse(readFileSync(path, "utf8"));
	const artifacts = compile(mocksDir);
	mkdirSync(dir, { recursive: true });
	// Test files run at the same time: whoever is last replaces equal content.
	writeFileSync(`${path}.${process.pid}`, JSON.stringify(artifacts));
	renameSync(`${path}.${process.pid}`, path);
	return artifacts;
}

// Deploys registry and escrow and binds them. Accounts: 0 deploys and owns, 1 is the treasury.
export async function deployTollwire(chain, { feeCapBps = 500 } = {}) {
	const [owner, treasury] = chain.accounts;
	const registry = await chain.deploy(artifact("NodeRegistry"), [], owner);
	const escrow = await chain.deploy(
		artifact("EscrowPayment"),
		[registry.target, owner, treasury, feeCapBps],
		owner,
	);
	await chain.send(registry, owner, "bindEscrow", [escrow.target]);
	return { registry, escrow, owner, treasury };
}

async function serve(args) {
	const split = args.indexOf("--");
	const own = split < 0 ? args : args.slice(0, split);
	const anvilArgs = split < 0 ? [] : args.slice(split + 1);
	let deploy = true;
	let blockTime = 0;
	for (let i = 0; i < own.length; i++) {
		if (own[i] === "--no-deploy") deploy = false;
		else if (own[i] === "--block-time" && Number(own[i + 1]) > 0)
			blockTime = Number(own[++i]);
		else {
			console.error(
				"usage: chain.mjs [--no-deploy] [--block-time SECONDS] [-- anvil arguments]",
			);
			process.exit(2);
		}
	}
	const chain = await startChain(...anvilArgs);
	const told = { rpcUrl: chain.url, chainId: chain.chainId, pid: chain.child.pid };
	if (deploy) {
		const { registry, escrow, owner, treasury } = await deployTollwire(chain);
		Object.assign(told, {
			registry: registry.target,
			escrow: escrow.target,
			owner,
			treasury,
		});
	}
	if (blockTime) await chain.rpc("evm_setIntervalMining", blockTime);
	told.accounts = chain.accounts.map((address, i) => ({ address, key: chain.keys[i] }));
	console.log(JSON.stringify(told));
	process.stdin.on("end", () => process.exit(0)).resume();
	chain.child.on("exit", () => process.exit(1));
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
	await serve(process.argv.slice(2));
