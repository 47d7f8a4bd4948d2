// SPDX-License-Identifier: Apache-2.0
//
// The chain thread with two real chains at once: one whose endpoint is silent does not hold up the other; events reach the loop
// in order and once, across kill -9; a reorganisation is told before what replaces it.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { delay, Settlement, TOOL, until } from "./harness.mjs";
import { Liar } from "./liar.mjs";

const CHAIN_TOOL = join(dirname(TOOL), "chain_tool");
const lane = (s, url = s.chain.url) => [url, s.chain.chainId, s.f.escrow.target, s.f.nodeId, s.options.key].join("|");

function start_tool(db, ...lanes) {
	const child = spawn(CHAIN_TOOL, [db, "50", ...lanes]);
	const seen = { out: "", err: "" };
	child.stdout.setEncoding("utf8").on("data", (d) => (seen.out += d));
	child.stderr.setEncoding("utf8").on("data", (d) => (seen.err += d));
	const ended = new Promise((resolve) => child.on("close", (status, signal) => resolve({ status, signal })));
	return {
		child, seen, ended,
		lines: () => seen.out.split("\n").filter(Boolean),
		stop: () => (child.stdin.end(), ended),
	};
}

async function two_chains(run) {
	const a = await Settlement.create();
	const b = await Settlement.create({ anvil: ["--chain-id", "31338"] });
	try {
		b.options.db = a.options.db;
		await run(a, b);
	} finally {
		await b.close();
		await a.close();
	}
}

test("a silent chain does not hold up the other, and is settled when it answers", () => two_chains(async (a, b) => {
	const on_a = await a.sessions(2);
	const on_b = await b.sessions(2);
	await a.queue(on_a);
	await b.queue(on_b);
	a.pump(30);
	b.pump(30);
	const liar = await Liar.start(b.chain.url, "silent");
	const tool = start_tool(a.options.db, lane(b, liar.url), lane(a));
	try {
		await until("chain A settled", async () => (await a.settled()).size === 2);
		assert.equal((await b.settled()).size, 0);
		await until("the silent one named", () => /^error 31338: .*timeout/m.test(tool.seen.err));
		liar.lie = "none";
		await until("chain B settled", async () => (await b.settled()).size === 2);
		await until("all events", () => tool.lines().filter((l) => / 6 0x/.test(l)).length === 4);
		await until("all done", () => /^done 4$/m.test(tool.seen.err));
		await delay(500); // nothing comes twice
	} finally {
		liar.stop();
		assert.equal((await tool.stop()).status, 0, tool.seen.err);
	}
	await a.assertSettledOnce(on_a);
	await b.assertSettledOnce(on_b);
	// Created and settled, once each, each chain its own.
	const wanted = [...on_a.flatMap(({ id }) => [`event 31337 0 ${id}`, `event 31337 6 ${id}`]),
		...on_b.flatMap(({ id }) => [`event 31338 0 ${id}`, `event 31338 6 ${id}`])];
	assert.deepEqual(tool.lines().sort(), wanted.sort());
}));

test("events come once and in order across kill -9", () => two_chains(async (a, b) => {
	a.pump(30);
	b.pump(30);
	const bought = [];
	const seen = [];
	for (let round = 0; round < 4; round++) {
		const tool = start_tool(a.options.db, lane(a), lane(b));
		for (let i = 0; i < 4; i++) {
			const s = i % 2 ? b : a;
			bought.push(`event ${s.chain.chainId} 0 ${await s.f.buy()}`);
		}
		if (round < 3) {
			await delay(100 * round);
			tool.child.kill("SIGKILL");
			await tool.ended;
		} else {
			await until("the last purchase", () => bought.slice(-2).every((line) => tool.lines().includes(line)));
			await tool.stop();
		}
		seen.push(...tool.lines());
	}
	assert.equal(new Set(seen).size, seen.length, "an event came twice");
	// A kill between "applied" and the printing of it costs a line of the output, not the event: at most one a kill.
	const missing = bought.filter((line) => !seen.includes(line));
	assert.ok(missing.length <= 3, `${missing.length} events are missing`);
	for (const s of [a, b]) {
		const own = (list) => list.filter((line) => line.startsWith(`event ${s.chain.chainId} `));
		assert.deepEqual(own(seen), own(bought).filter((line) => seen.includes(line)), "out of order");
	}
}));

test("a reorganisation is told before what replaces it", () => two_chains(async (a) => {
	const first = await a.f.buy();
	await a.chain.rpc("anvil_mine", "0x4");
	const base = await a.block();
	const lost = await a.f.buy();
	await a.chain.rpc("anvil_mine", "0x4");
	const tool = start_tool(a.options.db, lane(a));
	try {
		await until("both", () => tool.lines().some((l) => l.endsWith(lost)));
		await a.chain.rpc("anvil_rollback", (await a.block()) - base);
		const other = await a.f.buy({ dataGB: 4n });
		await a.chain.rpc("anvil_mine", "0x8");
		await until("the other branch", () => tool.lines().some((l) => l.endsWith(other)));
		const lines = tool.lines();
		const unwound = lines.findIndex((l) => l.startsWith("unwound 31337 "));
		assert.ok(unwound > lines.findIndex((l) => l.endsWith(lost)));
		assert.ok(unwound < lines.findIndex((l) => l.endsWith(other)));
		assert.ok(Number(lines[unwound].split(" ")[2]) <= base);
		assert.ok(lines.some((l) => l.endsWith(first)));
	} finally {
		assert.equal((await tool.stop()).status, 0);
	}
}));
