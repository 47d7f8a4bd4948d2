// SPDX-License-Identifier: Apache-2.0
//
// What the operator sees and does, at the real tollwire-control on a real chain: a session that waits for a voucher is shown so and is
// opened by the next one; the attestor's file settles an attested session, and no other file does.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { Chain } from "../chain.mjs";
import { Mode, Status, TYPES } from "../fixture.mjs";
import { Settlement, TOOL, until } from "../driver/harness.mjs";
import { ADMIN, ApiNode } from "../driver/node.mjs";

const build = join(dirname(TOOL), "../../..");
let s, node, standin;

const ask = async (path) => (await node.ask("GET", path, undefined, { token: ADMIN })).json;

function twctl(...args) {
	const result = spawnSync(join(build, "controlplane/twctl/twctl"), ["--config", node.yaml, ...args], { encoding: "utf8" });
	return { status: result.status, out: result.stdout, text: result.stdout + result.stderr };
}

async function buy(order, first) {
	const id = await s.f.buy(order);
	await until("the purchase", async () => (await node.ask("GET", `/sessions/${id}`, undefined, { token: ADMIN })).status === 200, 30000);
	const key = Buffer.alloc(32);
	key[0] = 9;
	key[1] = first;
	const issued = Math.floor(Date.now() / 1000);
	const text = `Use this WireGuard key for my tollwire session.\n\nChain ID: ${s.chain.chainId}\nEscrow: ${s.f.escrow.target}\n`
		+ `Node: ${ethers.toBeHex(s.f.nodeId, 32)}\nSession: ${id}\nPublic Key: ${key.toString("base64")}\nIssued At: ${issued}`;
	const reply = await node.ask("POST", `/sessions/${id}/peer`, { public_key: key.toString("base64"), issued_at: issued, signature: await Chain.wallet(5).signMessage(text) });
	assert.equal(reply.status, 200, reply.text);
	return id;
}

before(async () => {
	s = await Settlement.create();
	node = await ApiNode.start(s, { usage: "  checkpoint_bytes: 1000000\n", yaml: "voucher:\n  credit_bytes: 1000000\n" });
	standin = spawn(join(build, "tests/netns/dp_standin"), [join(node.dir, "run")], { stdio: ["ignore", "pipe", "inherit"] });
	s.pump(1000);
});

after(async () => {
	standin?.kill("SIGKILL");
	await node?.stop("SIGKILL");
	await s?.close();
});

test("a gate closed at the credit: waiting for a voucher, in list, show and JSON", async () => {
	const id = await buy({}, 1);
	const usage = async () => (await ask(`/sessions/${id}`)).usage;
	await until("the wait", async () => (await usage()).is_waiting_for_voucher, 60000);
	const { id: n, state } = await ask(`/sessions/${id}`);
	assert.equal(state, "active");
	assert.match(twctl("session", "show", `${n}`).out, /: active, waiting for a voucher\n/);
	assert.match(twctl("session", "list").out, /, waiting for a voucher\n/);
	const voucher = await s.f.voucherWallet.signTypedData(s.f.domain, TYPES.voucher, { sessionId: id, cumulativeBytes: 50000000n });
	const reply = await node.ask("POST", `/sessions/${id}/vouchers`, { cumulative_bytes: 50000000, signature: voucher });
	assert.equal(reply.status, 200, reply.text);
	assert.equal(reply.json.is_waiting_for_voucher, false);
	await until("more traffic", async () => (await usage()).used_bytes > 1000000, 60000);
	assert.equal((await usage()).is_waiting_for_voucher, false);
	assert.doesNotMatch(twctl("session", "show", `${n}`).out, /waiting/);
	assert.equal((await node.ask("POST", `/sessions/${id}/end`, {}, { token: ADMIN })).status, 200);
	await until("the end", async () => (await s.settled()).get(id)?.length === 1, 120000);
	assert.ok((await s.settled()).get(id)[0].bytesUsed <= 50000000n);
});

test("the attestor's file settles; others are refused with a sentence", async () => {
	const id = await buy({ mode: Mode.attested }, 2);
	await until("traffic", async () => (await ask(`/sessions/${id}`)).usage.used_bytes > 1000000, 60000);
	assert.equal((await node.ask("POST", `/sessions/${id}/end`, {}, { token: ADMIN })).status, 200);
	await until("final usage", async () => (await ask(`/sessions/${id}`)).state === "settling", 60000);
	const { id: n, usage } = await ask(`/sessions/${id}`);
	// The attestor checks what the node says it served; the root comes with it.
	const checked = twctl("verify", "--session", `${n}`, "--signer", s.f.usageSigner, "--root", "none", "--json");
	assert.equal(checked.status, 0, checked.text);
	const { root, total_out_bytes, total_in_bytes } = JSON.parse(checked.out);
	const bytes = total_out_bytes + total_in_bytes;
	assert.equal(bytes, usage.used_bytes);

	const path = join(s.dir, "attestation.json");
	const write = async (change = {}, wallet = s.f.attestorWallet) => {
		const f = { session_id: id, bytes_used: bytes, checkpoints_root: root, ...change };
		f.signature ??= await wallet.signTypedData(s.f.domain, TYPES.attestation, { sessionId: f.session_id, bytesUsed: f.bytes_used, checkpointsRoot: f.checkpoints_root });
		writeFileSync(path, f.text ?? JSON.stringify(f));
	};
	const other = await s.f.buy({ mode: Mode.attested });
	for (const [change, wallet, status, sentence] of [
		[{ text: "{" }, undefined, 1, /no JSON/],
		[{ text: "{}" }, undefined, 1, /no 'session_id'/],
		[{}, Chain.wallet(8), 1, /attest/],
		[{ checkpoints_root: ethers.id("other") }, undefined, 1, /not that of the session's checkpoints/],
		[{ bytes_used: 10 ** 12 }, undefined, 1, /more than was bought/],
		[{ signature: "0x12" }, undefined, 1, /signature/],
		[{ session_id: ethers.id("nobody's") }, undefined, 1, /./],
		[{ session_id: other }, undefined, 1, /./],
	]) {
		await write(change, wallet);
		const result = twctl("settle", "attest", path);
		assert.equal(result.status, status, result.text);
		assert.match(result.text, sentence);
	}
	assert.equal(twctl("settle", "attest", join(s.dir, "nothing")).status, 1);
	assert.equal(twctl("settle", "attest").status, 2);
	assert.equal((await s.f.session(id)).status, Status.open);
	await write();
	const taken = twctl("settle", "attest", path);
	assert.equal(taken.status, 0, taken.text);
	assert.match(taken.out, /by the attestor's word/);
	await until("the settlement", async () => (await ask(`/sessions/${id}`)).state === "settled", 120000);
	const own = (await s.settled()).get(id);
	assert.equal(own.length, 1);
	assert.equal(own[0].bytesUsed, BigInt(bytes));
	assert.equal(own[0].checkpointsRoot, root);
	assert.equal(twctl("settle", "attest", path).status, 1); // over
});
