// SPDX-License-Identifier: Apache-2.0
//
// Bought sessions in the real tollwire-control on a real node: seen at their confirmation depth, never used, closed by the buyer on
// chain and settled at nothing, with the whole deposit back; across a kill -9 between purchase and close and another one after it;
// a session of the operator's own beside them is left alone.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Settlement, TOOL, until } from "./harness.mjs";

const build = join(dirname(TOOL), "../../..");

test("bought, closed on chain, refunded", async () => {
	const s = await Settlement.create();
	let control;
	try {
		for (const dir of ["run", "state"]) mkdirSync(join(s.dir, dir));
		copyFileSync(s.options.key, join(s.dir, "state/settler.key"));
		chmodSync(join(s.dir, "state/settler.key"), 0o600);
		const yaml = join(s.dir, "node.yaml");
		writeFileSync(yaml, `node:
  name: test-node
  endpoint: 192.0.2.2:51820
  runtime_dir: ${s.dir}/run
  state_dir: ${s.dir}/state
ports:
  - {name: wan, devargs: "net_ring0", role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}
usage:
  poll_interval_ms: 100
chains:
  - name: anvil
    id: ${s.chain.chainId}
    endpoints: ["${s.chain.url}"]
    escrow: "${s.f.escrow.target}"
    node_id: ${s.f.nodeId}
    poll_ms: 100
    confirmations: {settle: 3}
    batch: {age_sec: 0}
store:
  path: ${s.dir}/db
  map_size_mb: 64
`);
		let log = "";
		const twctl = (...args) => spawnSync(join(build, "controlplane/twctl/twctl"), ["--config", yaml, ...args, "--json"], { encoding: "utf8" });
		const start = async () => {
			control = spawn(join(build, "controlplane/tollwire-control"), ["--config", yaml], { stdio: ["ignore", "pipe", "pipe"] });
			control.stderr.setEncoding("utf8").on("data", (d) => (log += d));
			await until("an answer", () => {
				assert.equal(control.exitCode, null, log);
				return twctl("session", "list").status === 0;
			});
		};
		const kill = async () => {
			const ended = new Promise((resolve) => control.on("close", resolve));
			control.kill("SIGKILL");
			await ended;
		};
		const states = () => JSON.parse(twctl("session", "list").stdout || '{"sessions":[]}').sessions.map((x) => `${x.source} ${x.state}`).sort();
		await start();
		assert.equal(twctl("session", "add", "own", "--quota", "1GB", "--duration", "never", "--generate-key").status, 0, log);
		s.pump(50);
		const ids = [await s.f.buy(), await s.f.buy()];
		await until("both purchases", () => states().filter((x) => x === "chain pending").length === 2);
		await kill();
		for (const id of ids) await s.f.send(s.f.buyer, "closeSession", [id]);
		await start();
		await until("queued", () => states().filter((x) => x !== "chain pending" && x.startsWith("chain")).length === 2);
		await kill();
		await start();
		await until("settled on chain", async () => (await s.settled()).size === 2);
		await until("refunded", () => states().filter((x) => x === "chain refunded").length === 2);
		assert.ok(states().includes("admin provisioned"), states().join());
		for (const id of ids) {
			const own = (await s.settled()).get(id);
			assert.equal(own.length, 1);
			assert.equal(own[0].bytesUsed, 0n);
			assert.equal(own[0].operatorAmount + own[0].feeAmount, 0n);
			assert.ok(own[0].refund > 0n);
		}
	} finally {
		control?.kill("SIGKILL");
		await s.close();
	}
});
