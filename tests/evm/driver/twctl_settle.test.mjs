// SPDX-License-Identifier: Apache-2.0
//
// twctl settle list, show and retry through the real tollwire-control, on a store in which the outbox has settled one session and
// held another.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { ethers } from "ethers";
import { GB, PRICE, Settlement, split, TOOL, until } from "./harness.mjs";

const build = join(dirname(TOOL), "../../..");

test("list, show and retry", async () => {
	const s = await Settlement.create();
	let control;
	try {
		const [good] = await s.sessions(1, { bytes: 5_200_000_000n });
		const order = await s.f.order();
		const unknown = ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
			["uint256", "address", "address", "bytes32"], [s.chain.chainId, s.f.escrow.target, s.f.buyer, order.salt]));
		await s.queue([good, await s.request(unknown, GB)]);
		s.pump(30);
		await s.finish();

		for (const dir of ["run", "state"]) mkdirSync(join(s.dir, dir));
		const yaml = join(s.dir, "node.yaml");
		writeFileSync(yaml, `node:
  name: test-node
  endpoint: 192.0.2.2:51820
  runtime_dir: ${s.dir}/run
  state_dir: ${s.dir}/state
ports:
  - {name: wan, devargs: "net_ring0", role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}
store:
  path: ${s.dir}/db
  map_size_mb: 64
`);
		let log = "";
		control = spawn(join(build, "controlplane/tollwire-control"), ["--config", yaml], { stdio: ["ignore", "pipe", "pipe"] });
		control.stderr.setEncoding("utf8").on("data", (d) => (log += d));
		const twctl = (...args) => spawnSync(join(build, "controlplane/twctl/twctl"), ["--config", yaml, ...args], { encoding: "utf8" });
		await until("the control plane's socket", () => {
			assert.equal(control.exitCode, null, log);
			return existsSync(join(s.dir, "run/control.sock")) || twctl("settle", "list").status === 0;
		});
		await until("an answer", () => twctl("settle", "list").status === 0);

		const { settlements, next } = JSON.parse(twctl("settle", "list", "--json").stdout);
		assert.equal(next, null);
		assert.deepEqual(settlements.map((i) => i.state), ["done", "held"]);
		const expected = split(good.bytes, 10n * GB, PRICE);
		assert.equal(settlements[0].session_id, good.id);
		assert.equal(BigInt(settlements[0].operator_amount), expected.operator);
		assert.equal(BigInt(settlements[0].fee_amount), expected.fee);
		assert.equal(BigInt(settlements[0].refund), expected.refund);
		assert.equal(settlements[1].reason, "UnknownSession");
		assert.equal(settlements[1].needs_review, true);

		const held = JSON.parse(twctl("settle", "list", "--state", "held", "--json").stdout);
		assert.deepEqual(held.settlements.map((i) => i.session_id), [unknown]);
		assert.equal(JSON.parse(twctl("settle", "list", "--limit", "1", "--json").stdout).next, 2);
		assert.match(twctl("settle", "list").stdout, /held .*needs review; UnknownSession/);

		const shown = twctl("settle", "show", "1");
		assert.match(shown.stdout, /to operator {2}5148000000000000\n/);
		assert.match(shown.stdout, /sent as {4}0x[0-9a-f]{64} at up to \d+ wei/);

		for (const [args, status, message] of [
			[["show", "7"], 1, /there is no settlement 7/],
			[["show", "0"], 1, /a number from 1 is expected/],
			[["show", "x"], 1, /a number from 1 is expected/],
			[["retry", "1"], 1, /settlement 1 is done/],
			[["retry", "9"], 1, /there is no settlement 9/],
			[["list", "--state", "paid"], 1, /queued, batched, done, held or withdrawn/],
			[["list", "--limit", "0"], 2, /1 to 1000/],
			[["show"], 2, /ID/],
		]) {
			const result = twctl("settle", ...args);
			assert.equal(result.status, status, `${args}: ${result.stderr}`);
			assert.match(result.stderr, message);
		}

		// Bought meanwhile: retried, and settled by the outbox when the control plane has let go of the store.
		const args = [order.nodeId, order.dataGB, order.duration, order.mode, order.voucherSigner, order.attestor, order.salt, order.termsHash];
		await s.f.send(s.f.buyer, "createSession", args, { value: 10n * PRICE });
		assert.match(twctl("settle", "retry", "2").stdout, /state {8}queued/);
		const gone = new Promise((resolve) => control.once("exit", resolve));
		control.kill("SIGTERM");
		await gone;
		await s.finish();
		await s.assertSettledOnce([good, { id: unknown, bytes: GB }]);
	} finally {
		control?.kill("SIGKILL");
		await s.close();
	}
});
