// SPDX-License-Identifier: Apache-2.0
//
// tollwire-control with two real chains in its YAML: sessions bought on both; one chain's endpoint goes silent while the other settles,
// and it settles when it is back. Meanwhile `twctl status` names the chain that is down, the one whose clock is wrong, endpoints that
// disagree and an account that runs dry, and stops when that is over. What the daemon must refuse at its start, it names.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { Settlement, TOOL, until } from "./harness.mjs";
import { Liar } from "./liar.mjs";

const build = join(dirname(TOOL), "../../..");
const WAIT = 60000; // a loaded machine's

function entry(name, s, endpoints, more = "") {
	return `  - name: ${name}
    id: ${s.chain.chainId}
    endpoints: [${endpoints.map((url) => `"${url}"`).join(", ")}]
    escrow: "${s.f.escrow.target}"
    node_id: ${s.f.nodeId}
    key_file: ${name}.key
    poll_ms: 100
    confirmations: {settle: 3}
    batch: {age_sec: 0}
${more}`;
}

async function with_node(run) {
	const a = await Settlement.create();
	const b = await Settlement.create({ anvil: ["--chain-id", "31338"] });
	const node = { a, b, dir: a.dir, yaml: join(a.dir, "node.yaml"), log: "" };
	try {
		for (const dir of ["run", "state"]) mkdirSync(join(a.dir, dir));
		for (const [name, s] of [["alpha", a], ["beta", b]]) copyFileSync(s.options.key, join(a.dir, `state/${name}.key`));
		node.write = (...chains) => writeFileSync(node.yaml, `node: {name: n, endpoint: 192.0.2.2, runtime_dir: ${a.dir}/run, state_dir: ${a.dir}/state}
ports: [{name: wan, devargs: net_ring0, role: both, address: 198.51.100.2/24, gateway: 198.51.100.1}]
usage: {poll_interval_ms: 100}
store: {path: ${a.dir}/db, map_size_mb: 64}
chains:
${chains.join("")}`);
		node.twctl = (...args) => spawnSync(join(build, "controlplane/twctl/twctl"), ["--config", node.yaml, ...args, "--json"], { encoding: "utf8" });
		node.spawn = () => {
			node.control = spawn(join(build, "controlplane/tollwire-control"), ["--config", node.yaml], { stdio: ["ignore", "pipe", "pipe"] });
			node.control.stderr.setEncoding("utf8").on("data", (d) => (node.log += d));
			node.ended = new Promise((resolve) => node.control.on("close", resolve));
		};
		node.start = async () => {
			node.spawn();
			await until("an answer", () => {
				assert.equal(node.control.exitCode, null, node.log);
				return node.twctl("session", "list").status === 0;
			}, WAIT);
		};
		node.sessions = () => JSON.parse(node.twctl("session", "list").stdout || '{"sessions":[]}').sessions;
		node.states = () => node.sessions().map((x) => x.state).sort();
		node.reason = (name) => JSON.parse(node.twctl("status").stdout).conditions.find((c) => c.name === name)?.reason ?? "";
		await run(node);
	} finally {
		node.control?.kill("SIGKILL");
		await b.close();
		await a.close();
	}
}

test("two chains: one settles while the other is down", () => with_node(async (node) => {
	const { a, b } = node;
	const liar = await Liar.start(b.chain.url, "none");
	try {
		node.write(entry("alpha", a, [a.chain.url]), entry("beta", b, [liar.url]));
		await node.start();
		a.pump(100);
		b.pump(100);
		const on_a = [await a.f.buy(), await a.f.buy()];
		const on_b = [await b.f.buy()];
		await until("all three purchases", () => node.states().filter((x) => x === "pending").length === 3, WAIT);

		liar.lie = "down";
		for (const id of on_a) await a.f.send(a.f.buyer, "closeSession", [id]);
		for (const id of on_b) await b.f.send(b.f.buyer, "closeSession", [id]);
		await until("those of alpha refunded", () => node.states().filter((x) => x === "refunded").length === 2, WAIT);
		assert.equal((await a.settled()).size, 2);
		assert.equal((await b.settled()).size, 0, "settled through an endpoint that is down");
		await until("beta named", () => /^beta: .*unreachable/.test(node.reason("endpoints")), WAIT);
		assert.doesNotMatch(node.reason("endpoints"), /alpha/);

		// Killed and started in the middle of it.
		node.control.kill("SIGKILL");
		await node.ended;
		await node.start();
		liar.lie = "none";
		await until("that of beta refunded", () => node.states().filter((x) => x === "refunded").length === 3, WAIT);
		await until("beta is well", () => node.reason("endpoints") === "", WAIT);
		for (const [s, ids] of [[a, on_a], [b, on_b]]) {
			const settled = await s.settled();
			assert.deepEqual([...settled.keys()].sort(), [...ids].sort());
			for (const id of ids) assert.deepEqual([settled.get(id).length, settled.get(id)[0].bytesUsed], [1, 0n]);
		}
	} finally {
		liar.stop();
	}
}));

test("alerts name their chain, and end", () => with_node(async (node) => {
	const { a, b } = node;
	const liar = await Liar.start(b.chain.url, "none");
	try {
		// All that the account on alpha holds is less than it should.
		node.write(entry("alpha", a, [a.chain.url], "    low_balance_gwei: 1000000000000000\n"), entry("beta", b, [liar.url, b.chain.url]));
		await node.start();
		a.pump(100);
		b.pump(100);
		liar.lie = "clock_ahead";
		const id = await a.f.buy();
		await until("its clock", () => /^beta: the host's clock is (6[1-9]|7\d) s behind the newest block's time$/.test(node.reason("chain_clock")), WAIT);
		liar.lie = "none";
		await until("the clock is well", () => node.reason("chain_clock") === "", WAIT);

		await a.f.send(a.f.buyer, "closeSession", [id]);
		await until("settled all the same", () => node.states().includes("refunded"), WAIT);
		await until("low balance", () => /^alpha: low_balance: /.test(node.reason("settlement")), WAIT);

		liar.lie = "other_fork";
		await until("the disagreement", () => /^beta: endpoints disagree: http:\/\/127\.0\.0\.1:\d+: about block \d+/.test(node.reason("endpoints"))
			|| /; beta: endpoints disagree: /.test(node.reason("endpoints")), WAIT);
		liar.lie = "none";
		await until("it in the log", () => /^warn chain: beta: http:\/\/127\.0\.0\.1:\d+: disagrees: about block \d+$/m.test(node.log), WAIT);
	} finally {
		liar.stop();
	}
}));

test("a token's payout threshold in the file keeps its sessions back, and no others", () => with_node(async (node) => {
	const { a, b } = node;
	const { usd, ids: [inToken] } = await a.buyForToken(1, 500000n);
	const alpha = entry("alpha", a, [a.chain.url]);
	const refunded = (n) => until(`${n} refunded`, () => node.states().filter((x) => x === "refunded").length === n, WAIT);
	node.write(alpha.replace("age_sec: 0", `age_sec: 0, token_payout_thresholds: [${usd.target}=1]`), entry("beta", b, [b.chain.url]));
	await node.start();
	a.pump(100);
	await until("the purchase", () => node.states().includes("pending"), WAIT);
	await a.f.send(a.f.buyer, "closeSession", [inToken]);
	// Unused, it earns nothing; two of the native coin pass it, one after the other.
	for (let i = 1; i <= 2; i++) {
		const id = await a.f.buy();
		await until("the next purchase", () => node.states().includes("pending"), WAIT);
		await a.f.send(a.f.buyer, "closeSession", [id]);
		await refunded(i);
	}
	assert.equal((await a.settled()).has(inToken), false, "settled below its threshold");
	node.control.kill("SIGKILL");
	await node.ended;
	node.write(alpha, entry("beta", b, [b.chain.url]));
	await node.start();
	await refunded(3);
	assert.equal((await a.settled()).get(inToken).length, 1);
}));

test("what stands in the way of a chain is named at the start", () => with_node(async (node) => {
	const { a, b } = node;
	const wrong = (s) => s.replace(/(0x.*?)([a-f])/, (_, head, c) => head + c.toUpperCase());
	const good = entry("alpha", a, [a.chain.url]);
	const bad = entry("beta", b, [b.chain.url]);
	for (const [chains, spoil, message] of [
		[[good, wrong(bad)], undefined, /chains\[1\]\.escrow: .*(EIP-55)/],
		[[good, bad.replace("age_sec: 0", `age_sec: 0, token_payout_thresholds: [${wrong(a.f.registry.target)}=5]`)], undefined,
			/chains\[1\]\.batch\.token_payout_thresholds\[0\]: value '0x\w{40}=5' has a wrong check sum \(EIP-55\)/],
		[[good, bad], () => rmSync(join(node.dir, "state/beta.key")), /chains\[1\]\.key_file: .*beta\.key/],
		[[good, good], undefined, /key 'chains\[1\]\.name': value 'alpha' is the name of chains\[0\]/],
		[[good, bad.replace("poll_ms", "pol_ms")], undefined, /key 'chains\[1\]\.pol_ms': unknown, did you mean 'chains\[1\]\.poll_ms'\?/],
	]) {
		spoil?.();
		node.log = "";
		node.write(...chains);
		node.spawn();
		assert.equal(await node.ended, 1, node.log);
		assert.match(node.log, message);
		if (spoil) continue; // a key is none of the configuration's
		const checked = spawnSync(join(build, "controlplane/twctl/twctl"), ["config", "check", node.yaml, "--json"], { encoding: "utf8" });
		assert.equal(checked.status, 1);
		assert.match(JSON.parse(checked.stdout).errors[0].text, /chains\[1\]/);
	}
}));
