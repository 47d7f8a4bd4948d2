// SPDX-License-Identifier: Apache-2.0
//
// A real tollwire-control that sells on the harness's chain, asked over TCP. No data plane.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { Chain } from "../chain.mjs";
import { TOOL, until } from "./harness.mjs";

const build = join(dirname(TOOL), "../../..");
export const ADMIN = "0123456789abcdef0123456789abcdef";
export const DOMAIN = "node.example:8443";

export async function freePort() {
	const server = createServer();
	const port = await new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
	await new Promise((resolve) => server.close(resolve));
	return port;
}

export class ApiNode {
	// settlement: of the harness. yaml: more lines of the chain's entry, of usage, and at the end.
	static async start(settlement, { rpc = settlement.chain.url, chain = "", usage = "", yaml = "" } = {}) {
		const node = new ApiNode();
		node.dir = join(settlement.dir, "node");
		for (const dir of ["", "run", "state"]) mkdirSync(join(node.dir, dir));
		writeFileSync(join(node.dir, "state/admin.token"), ADMIN + "\n", { mode: 0o600 });
		writeFileSync(join(node.dir, "state/usage-signer.key"), Chain.wallet(9).privateKey, { mode: 0o600 });
		writeFileSync(join(node.dir, "state/settler.key"), Chain.wallet(3).privateKey, { mode: 0o600 });
		node.port = await freePort();
		node.yaml = join(node.dir, "node.yaml");
		writeFileSync(node.yaml, `node:
  name: test-node
  endpoint: 192.0.2.2:51820
  runtime_dir: ${node.dir}/run
  state_dir: ${node.dir}/state
ports:
  - {name: wan, devargs: "net_ring0", role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}
usage:
  poll_interval_ms: 100
${usage}chains:
  - name: anvil
    id: ${settlement.chain.chainId}
    endpoints: ["${rpc}"]
    escrow: "${settlement.f.escrow.target}"
    node_id: ${settlement.f.nodeId}
    poll_ms: 100
    confirmations: {settle: 3}
    batch: {age_sec: 0}
${chain}store:
  map_size_mb: 64
api:
  listen: 127.0.0.1:${node.port}
  requests_per_minute: 100000
  auth_domains: ["${DOMAIN}"]
${yaml}`);
		node.url = `http://127.0.0.1:${node.port}/api/v1`;
		node.log = "";
		await node.run();
		return node;
	}

	async run() {
		this.control = spawn(join(build, "controlplane/tollwire-control"), ["--config", this.yaml], { stdio: ["ignore", "pipe", "pipe"] });
		this.control.stderr.setEncoding("utf8").on("data", (data) => (this.log += data));
		await until("an answer of the node", async () => {
			assert.equal(this.control.exitCode, null, this.log);
			return fetch(`${this.url}/node`).then((r) => r.ok, () => false);
		}, 30000);
	}

	// Resolves with { code, signal }.
	async stop(signal = "SIGTERM") {
		if (this.control.exitCode !== null || this.control.signalCode !== null) return { code: this.control.exitCode, signal: this.control.signalCode };
		const ended = new Promise((resolve) => this.control.on("close", (code, by) => resolve({ code, signal: by })));
		this.control.kill(signal);
		return ended;
	}

	async ask(method, path, body, { token, headers = {}, signal } = {}) {
		headers = { ...headers };
		if (body !== undefined) headers["content-type"] = "application/json";
		if (token !== undefined) headers.authorization = `Bearer ${token}`;
		const reply = await fetch(this.url + path, { method, headers, signal, body: body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body) });
		const text = await reply.text();
		const isJson = /json/.test(reply.headers.get("content-type") ?? "");
		return { status: reply.status, headers: reply.headers, text, json: isJson ? JSON.parse(text) : null };
	}

	// An EIP-4361 message for this node.
	async message(address, changes = {}) {
		const f = { chain: "31337", nonce: (await this.ask("POST", "/auth/challenge")).json.challenge, issued: new Date().toISOString(), ...changes };
		return `${DOMAIN} wants you to sign in with your Ethereum account:\n${address}\n\nSign in.\n\nURI: https://${DOMAIN}/\n`
			+ `Version: 1\nChain ID: ${f.chain}\nNonce: ${f.nonce}\nIssued At: ${f.issued}`;
	}

	// A buyer's token.
	async signIn(wallet) {
		const message = await this.message(wallet.address);
		const reply = await this.ask("POST", "/auth", { message, signature: await wallet.signMessage(message) });
		assert.equal(reply.status, 200, reply.text);
		return reply.json.token;
	}
}
