// SPDX-License-Identifier: Apache-2.0
//
// tollwire-control killed with SIGKILL at moments that nobody chose, while it settles what vouchers cover on a real chain,
// which now and then takes blocks back: every session is settled once, at the signed bytes, and the credits are their sum.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Settlement, TOOL, delay, until } from "./harness.mjs";

const build = join(dirname(TOOL), "../../..");
const WAIT = 90000; // a loaded machine's
const N_SESSIONS = 12;
const N_KILLS = 15;

test(`${N_KILLS} kills, ${N_SESSIONS} sessions, each settled once`, async () => {
	const s = await Settlement.create();
	let control, log = "";
	const yaml = join(s.dir, "node.yaml");
	const twctl = (...args) => spawnSync(join(build, "controlplane/twctl/twctl"), ["--config", yaml, ...args, "--json"], { encoding: "utf8" });
	const sessions = () => JSON.parse(twctl("session", "list").stdout || '{"sessions":[]}').sessions;
	const up = async () => {
		control = spawn(join(build, "controlplane/tollwire-control"), ["--config", yaml], { stdio: ["ignore", "pipe", "pipe"] });
		control.stderr.setEncoding("utf8").on("data", (d) => (log += d));
		control.ended = new Promise((resolve) => control.on("close", resolve));
		await until("an answer", () => {
			assert.equal(control.exitCode, null, log);
			return twctl("session", "list").status === 0;
		}, WAIT);
	};
	const kill = async () => {
		control.kill("SIGKILL");
		await control.ended;
	};
	try {
		for (const dir of ["run", "state"]) mkdirSync(join(s.dir, dir));
		copyFileSync(s.options.key, join(s.dir, "state/settle.key"));
		writeFileSync(yaml, `node: {name: n, endpoint: 192.0.2.2, runtime_dir: ${s.dir}/run, state_dir: ${s.dir}/state}
ports: [{name: wan, devargs: net_ring0, role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}]
usage: {poll_interval_ms: 100}
store: {path: ${s.dir}/db, map_size_mb: 64}
chains:
  - name: alpha
    id: ${s.chain.chainId}
    endpoints: ["${s.chain.url}"]
    escrow: "${s.f.escrow.target}"
    node_id: ${s.f.nodeId}
    key_file: settle.key
    poll_ms: 50
    confirmations: {settle: 5}
    batch: {age_sec: 0, count: 3}
`);
		const list = await s.sessions(N_SESSIONS);
		await s.queue(list);
		await s.chain.rpc("anvil_mine", "0x10"); // no block is taken back that a purchase stands in
		s.pump(60);
		await up();
		for (let i = 0; i < N_KILLS; i++) {
			await delay(Math.random() * 500);
			await kill();
			if (i % 5 === 4) {
				await s.pump(0);
				await s.chain.rpc("anvil_rollback", 4);
				s.pump(60);
			}
			await up();
		}
		await until("all settled", () => sessions().every((x) => x.state === "settled"), WAIT).catch(async (e) => {
			console.log(sessions().map((x) => x.state + " " + x.name).join(","));
			console.log(twctl("settle", "list").stdout);
			console.log(twctl("status").stdout);
			console.log(log.slice(-6000));
			console.log(JSON.stringify({ block: await s.block(), nonce: Number(await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest")), pending: await s.pending() }));
			throw e;
		});
		await kill();
		await s.assertSettledOnce(list);
		// One transaction a batch, none of them twice.
		assert.equal(Number(await s.chain.rpc("eth_getTransactionCount", s.f.settler, "latest")), N_SESSIONS / 3);
		assert.equal(await s.pending(), 0);
	} finally {
		control?.kill("SIGKILL");
		await s.close();
	}
});
