// SPDX-License-Identifier: Apache-2.0
//
// The helper that other tests stand on: its command line tells where the chain is, and the node
// never outlives its caller, whichever way that ends.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { ethers } from "ethers";
import { startChain } from "./chain.mjs";

const HELPER = fileURLToPath(new URL("./chain.mjs", import.meta.url));

async function launch(...args) {
	const child = spawn(process.execPath, [HELPER, ...args], {
		stdio: ["pipe", "pipe", "inherit"],
	});
	const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
	const told = JSON.parse((await lines.next()).value);
	return { child, told };
}

const alive = (pid) => {
	try {
		process.kill(pid, 0);
		return true;
	} catch {
		return false;
	}
};

async function gone(pid) {
	const until = Date.now() + 60000;
	while (alive(pid) && Date.now() < until) await delay(20);
	return !alive(pid);
}

describe("chain.mjs as a program", () => {
	it("deploys, tells where, serves, and ends with its standard input", async () => {
		const { child, told } = await launch();
		const provider = new ethers.JsonRpcProvider(told.rpcUrl, undefined, {
			staticNetwork: true,
		});
		assert.equal(Number((await provider.getNetwork()).chainId), told.chainId);
		for (const address of [told.registry, told.escrow])
			assert.notEqual(await provider.getCode(address), "0x");
		assert.equal(told.accounts.length, 10);
		for (const { address, key } of told.accounts)
			assert.equal(new ethers.Wallet(key).address, address);
		provider.destroy();
		child.stdin.end();
		assert.ok(await gone(told.pid));
	});

	it("deploys nothing where told so, and refuses what it does not know", async () => {
		const { child, told } = await launch("--no-deploy", "--", "--chain-id", "1337");
		assert.deepEqual([told.chainId, "escrow" in told], [1337, false]);
		child.stdin.end();
		assert.ok(await gone(told.pid));
		const refused = spawn(process.execPath, [HELPER, "--wrong"], { stdio: "ignore" });
		assert.equal(await new Promise((resolve) => refused.on("exit", resolve)), 2);
	});

	it("mines by the clock where told so", async () => {
		const { child, told } = await launch("--block-time", "1");
		const provider = new ethers.JsonRpcProvider(told.rpcUrl, undefined, {
			staticNetwork: true,
			cacheTimeout: -1,
		});
		const first = await provider.getBlockNumber();
		const until = Date.now() + 60000;
		while ((await provider.getBlockNumber()) === first && Date.now() < until)
			await delay(100);
		assert.ok((await provider.getBlockNumber()) > first);
		provider.destroy();
		child.stdin.end();
		assert.ok(await gone(told.pid));
	});

	for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"]) {
		const skip =
			signal === "SIGKILL" &&
			!existsSync("/usr/bin/setpriv") &&
			"needs setpriv of util-linux";
		it(`takes the node with it on ${signal}`, { skip }, async () => {
			const { child, told } = await launch("--no-deploy");
			child.kill(signal);
			assert.ok(await gone(told.pid));
		});
	}
});

describe("chain.mjs as a module", () => {
	it("stop() ends the node, once or twice; a node that cannot start says why", async () => {
		const chain = await startChain();
		await chain.stop();
		await chain.stop();
		assert.ok(await gone(chain.child.pid));
		await assert.rejects(startChain("--no-such-option"), /no-such-option/);
	});

	it("setTime, snapshot and revert do what they say", async () => {
		const chain = await startChain();
		try {
			const snapshot = await chain.snapshot();
			const now = await chain.now();
			await chain.setTime(now + 1000);
			assert.equal(await chain.now(), now + 1000);
			await chain.revert(snapshot);
			assert.equal(await chain.now(), now);
		} finally {
			await chain.stop();
		}
	});
});
