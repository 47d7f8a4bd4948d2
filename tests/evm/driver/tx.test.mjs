// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/tx/…: what the API returned is signed by a wallet of ethers and sent as it is to a real node, and the escrow holds
// what was ordered; what the contract would refuse is refused by its name; nothing is asked of the chain for a body that is wrong.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { ethers } from "ethers";
import { Chain, mocks } from "../chain.mjs";
import { DAY, Mode, Status } from "../fixture.mjs";
import { GB, NATIVE, PRICE, ROOT, Settlement, until } from "./harness.mjs";
import { ApiNode } from "./node.mjs";

const TOKEN_PRICE = 2_500_000n; // of a GB
const stranger = ethers.Wallet.createRandom().address;
let s, node, provider, buyer, token, unpriced;

const build = (name, body) => node.ask("POST", `/tx/${name}`, body);

async function fund(address, amount) {
	await s.chain.rpc("anvil_setBalance", address, ethers.toQuantity(amount));
}

// Signs and sends them in their order; resolves with the last receipt.
async function send(reply, wallet = buyer) {
	let receipt;
	assert.equal(reply.status, 200, reply.text);
	for (const { name, chain_id, from, to, data, value } of reply.json.transactions) {
		assert.equal(from, wallet.address, name);
		const sent = await wallet.sendTransaction({ chainId: chain_id, to, data, value });
		receipt = await sent.wait();
		assert.equal(receipt.status, 1, name);
	}
	return receipt;
}

async function bought(order, wallet = buyer) {
	const reply = await build("create-session", { buyer: wallet.address, ...order });
	await send(reply, wallet);
	return { reply: reply.json, id: reply.json.session_id, session: await s.f.session(reply.json.session_id) };
}

before(async () => {
	s = await Settlement.create();
	token = await s.chain.deploy(mocks().Stablecoin);
	unpriced = await s.chain.deploy(mocks().Stablecoin);
	await s.chain.send(s.f.registry, s.f.operator, "setPrice", [s.f.nodeId, token.target, TOKEN_PRICE]);
	provider = new ethers.JsonRpcProvider(s.chain.url, undefined, { staticNetwork: true, cacheTimeout: -1, pollingInterval: 50 });
	buyer = ethers.Wallet.createRandom().connect(provider);
	await fund(buyer.address, ethers.parseEther("10"));
	await s.chain.send(token, s.f.buyer, "mint", [buyer.address, 1000n * TOKEN_PRICE]);
	node = await ApiNode.start(s);
});

after(async () => {
	provider?.destroy();
	await node?.stop("SIGKILL");
	await s?.close();
});

test("a session for the native coin exists as it was ordered", async () => {
	const { reply, session, id } = await bought({ data_gb: 7, duration_sec: 3 * DAY });
	assert.equal(session.status, Status.open);
	assert.equal(session.buyer, buyer.address);
	assert.equal(session.voucherSigner, buyer.address);
	assert.equal(session.mode, BigInt(Mode.voucher));
	assert.equal(session.boughtBytes, 7n * GB);
	assert.equal(session.expiry - session.createdAt, BigInt(3 * DAY));
	assert.equal(session.deposit, 7n * PRICE);
	assert.equal(reply.cost, String(7n * PRICE));
	assert.equal(reply.transactions.length, 1);
	assert.equal(reply.warning, null);
	assert.equal(reply.terms_hash, session.termsHash);
	assert.equal(reply.terms.price_per_gb, String(PRICE));
	assert.equal(id, ethers.keccak256(ethers.AbiCoder.defaultAbiCoder().encode(
		["uint256", "address", "address", "bytes32"], [s.chain.chainId, s.f.escrow.target, buyer.address, reply.salt])));
});

test("every member of an order reaches the contract", async () => {
	const salt = ethers.hexlify(randomBytes(32));
	const { session, reply } = await bought({
		chain_id: s.chain.chainId, data_gb: 1, duration_sec: 3600, mode: "attested", voucher_signer: stranger, attestor: s.f.attestor, asset: NATIVE, salt,
		terms_hash: await s.f.termsHash(NATIVE, s.f.attestor), max_cost: String(PRICE),
	});
	assert.equal(reply.salt, salt);
	assert.equal(session.mode, BigInt(Mode.attested));
	assert.equal(session.voucherSigner, stranger);
	assert.equal(session.attestor, s.f.attestor);
	const { session: bare } = await bought({ data_gb: 1, duration_sec: 1, mode: "optimistic", voucher_signer: NATIVE });
	assert.equal(bare.voucherSigner, NATIVE);
});

test("a token is approved first, exactly, and only where it is needed", async () => {
	const { reply, session, id } = await bought({ data_gb: 4, duration_sec: DAY, asset: token.target });
	assert.deepEqual(reply.transactions.map((t) => [t.name, t.to, t.value]), [["approve", token.target, "0"], ["create-session", s.f.escrow.target, "0"]]);
	assert.equal(session.asset, token.target);
	assert.equal(session.deposit, 4n * TOKEN_PRICE);
	assert.equal(await token.balanceOf(s.f.escrow.target), 4n * TOKEN_PRICE);
	assert.equal(await token.allowance(buyer.address, s.f.escrow.target), 0n);
	// The most that it may cost is the transaction's own bound, not what is approved.
	const most = await build("create-session", { buyer: buyer.address, data_gb: 1, duration_sec: DAY, asset: token.target, max_cost: "99999999" });
	const call = s.f.escrow.interface.parseTransaction({ data: most.json.transactions[1].data });
	assert.equal(call.args.maxCost, 99999999n);
	const up = await build("top-up", { session_id: id, data_gb: 2, duration_sec: 60 });
	assert.deepEqual(up.json.transactions.map((t) => t.name), ["approve", "top-up"]);
	// What is left of a former allowance is taken away first: there are tokens that insist.
	await (await token.connect(buyer).approve(s.f.escrow.target, 1n)).wait();
	const anew = await build("top-up", { session_id: id, data_gb: 2, duration_sec: 60 });
	assert.deepEqual(anew.json.transactions.map((t) => t.name), ["approve", "approve", "top-up"]);
	assert.deepEqual(anew.json.transactions.slice(0, 2).map((t) => token.interface.parseTransaction(t).args[1]), [0n, 2n * TOKEN_PRICE]);
	await send(anew);
	assert.equal((await s.f.session(id)).boughtBytes, 6n * GB);
	await (await token.connect(buyer).approve(s.f.escrow.target, 1000n * TOKEN_PRICE)).wait();
	const again = await build("top-up", { session_id: id, data_gb: 1 });
	assert.deepEqual(again.json.transactions.map((t) => t.name), ["top-up"]);
	await send(again);
	assert.equal((await s.f.session(id)).deposit, 7n * TOKEN_PRICE);
	const direct = await build("create-session", { buyer: buyer.address, data_gb: 1, duration_sec: DAY, asset: token.target });
	assert.deepEqual(direct.json.transactions.map((t) => t.name), ["create-session"]);
	await send(direct);
});

test("a top-up adds data and time for the exact price", async () => {
	const { id, session } = await bought({ data_gb: 1, duration_sec: DAY });
	const reply = await build("top-up", { session_id: id, data_gb: 3, duration_sec: 7200, max_cost: String(3n * PRICE) });
	assert.equal(reply.json.cost, String(3n * PRICE));
	await send(reply);
	const after = await s.f.session(id);
	assert.equal(after.boughtBytes, 4n * GB);
	assert.equal(after.expiry, session.expiry + 7200n);
	assert.equal(after.deposit, 4n * PRICE);
	const rows = [
		[{ data_gb: 1, duration_sec: 90 * DAY }, /90 days/], [{ data_gb: 4294967295 }, /more than a session/],
		[{ data_gb: 1, max_cost: String(PRICE - 1n) }, /max_cost/], [{ data_gb: 1, from: stranger }, /only the buyer/],
	];
	for (const [change, detail] of rows) {
		const refused = await build("top-up", { session_id: id, ...change });
		assert.equal(refused.status, 409, refused.text);
		assert.match(refused.json.detail, detail);
	}
});

test("closed, and what comes too early or from another is refused", async () => {
	const { id } = await bought({ data_gb: 1, duration_sec: DAY });
	let reply = await build("reclaim", { session_id: id });
	assert.equal(reply.status, 409);
	assert.match(reply.json.detail, /GraceNotOver/);
	reply = await build("close", { session_id: id, from: stranger });
	assert.match(reply.json.detail, /NotBuyer/);
	await send(await build("close", { session_id: id }));
	assert.equal((await s.f.session(id)).status, Status.closed);
	reply = await build("close", { session_id: id });
	assert.equal(reply.status, 409);
	assert.match(reply.json.detail, /WrongStatus/);
	const refused = await build("top-up", { session_id: id, data_gb: 1 });
	assert.match(refused.json.detail, /not open any more/);
});

test("a proposal is disputed by buyer or voucher signer, within what was claimed and proposed", async () => {
	const signer = ethers.Wallet.createRandom().connect(provider);
	await fund(signer.address, ethers.parseEther("1"));
	const { id } = await bought({ data_gb: 10, duration_sec: DAY, mode: "optimistic", voucher_signer: signer.address });
	let reply = await build("dispute", { session_id: id, bytes_accepted: 1 });
	assert.match(reply.json.detail, /WrongStatus/);
	await s.f.send(s.f.settler, "proposeSettlement", [id, 6n * GB, ROOT]);
	reply = await build("dispute", { session_id: id, bytes_accepted: String(6n * GB) });
	assert.match(reply.json.detail, /BytesAboveProposed/);
	reply = await build("dispute", { session_id: id, bytes_accepted: 1, from: stranger });
	assert.match(reply.json.detail, /NotBuyerOrVoucherSigner/);
	reply = await build("dispute", { session_id: id, bytes_accepted: String(2n * GB), from: signer.address });
	await send(reply, signer);
	const session = await s.f.session(id);
	assert.equal(session.status, Status.disputed);
	assert.equal(session.claimedBytes, 2n * GB);
});

test("what the contract would refuse is not built", async () => {
	const salt = ethers.hexlify(randomBytes(32));
	const order = { buyer: buyer.address, data_gb: 1, duration_sec: DAY };
	await bought({ ...order, salt });
	const rows = [
		[{ salt }, /SessionExists/], [{ max_cost: "999" }, /max_cost/], [{ terms_hash: ethers.ZeroHash }, /others by now/],
		[{ asset: unpriced.target }, /refuses/], [{ asset: stranger }, /refuses/], [{ attestor: stranger }, /refuses/],
	];
	for (const [change, detail] of rows) {
		const reply = await build("create-session", { ...order, ...change });
		assert.equal(reply.status, 409, JSON.stringify(change) + reply.text);
		assert.match(reply.json.detail, detail);
		assert.equal(reply.headers.get("content-type"), "application/problem+json");
	}
	for (const name of ["top-up", "close", "dispute", "reclaim"]) {
		const reply = await build(name, { session_id: ethers.id("nothing"), ...(name === "top-up" ? { data_gb: 1 } : {}), ...(name === "dispute" ? { bytes_accepted: 0 } : {}) });
		assert.equal(reply.status, 404, name + reply.text);
	}
	assert.equal((await build("close", { chain_id: 1, session_id: ethers.id("nothing") })).status, 404);
	await s.chain.send(s.f.registry, s.f.operator, "setActive", [s.f.nodeId, false]);
	const reply = await build("create-session", order);
	assert.equal(reply.status, 409, reply.text);
	await s.chain.send(s.f.registry, s.f.operator, "setActive", [s.f.nodeId, true]);
});

test("an account without the amount is warned, not refused", async () => {
	const poor = ethers.Wallet.createRandom().connect(provider);
	const reply = await build("create-session", { buyer: poor.address, data_gb: 1, duration_sec: DAY });
	assert.equal(reply.status, 200, reply.text);
	assert.match(reply.json.warning, /fund|balance/i);
	await fund(poor.address, ethers.parseEther("1"));
	await send(reply, poor);
	assert.equal((await s.f.session(reply.json.session_id)).buyer, poor.address);
});

test("bodies that are none are a 400 that names the member", async () => {
	const order = { buyer: buyer.address, data_gb: 1, duration_sec: DAY };
	const close = { session_id: ethers.id("nothing") };
	const rows = [
		["create-session", {}, "buyer"], ["create-session", { ...order, buyer: "0x12" }, "buyer"],
		["create-session", { ...order, buyer: NATIVE }, "buyer"],
		["create-session", { ...order, buyer: buyer.address.replace(/[a-f]/, (c) => c.toUpperCase()).replace(/[A-F](?=[^A-F]*$)/, (c) => c.toLowerCase()) }, "buyer"],
		["create-session", { ...order, data_gb: 0 }, "data_gb"], ["create-session", { ...order, data_gb: 1.5 }, "data_gb"],
		["create-session", { ...order, data_gb: "one" }, "data_gb"], ["create-session", { ...order, data_gb: 2 ** 32 }, "data_gb"],
		["create-session", { ...order, data_gb: -1 }, "data_gb"], ["create-session", { ...order, duration_sec: 0 }, "duration_sec"],
		["create-session", { ...order, duration_sec: 90 * DAY + 1 }, "duration_sec"], ["create-session", { ...order, mode: "free" }, "mode"],
		["create-session", { ...order, voucher_signer: NATIVE }, "voucher_signer"], ["create-session", { ...order, mode: "attested" }, "attestor"],
		["create-session", { ...order, salt: "0x12" }, "salt"], ["create-session", { ...order, max_cost: 5 }, "max_cost"],
		["create-session", { ...order, max_cost: "-5" }, "max_cost"], ["create-session", { ...order, max_cost: "9".repeat(78) }, "max_cost"],
		["create-session", { ...order, more: 1 }, "more"], ["create-session", { ...order, chain_id: 0 }, "chain_id"],
		["top-up", close, "data_gb"], ["top-up", { ...close, data_gb: 0 }, "data_gb"], ["top-up", { data_gb: 1 }, "session_id"],
		["close", { session_id: "0xzz" }, "session_id"], ["close", { ...close, data_gb: 1 }, "data_gb"],
		["dispute", close, "bytes_accepted"], ["reclaim", { ...close, from: "me" }, "from"],
	];
	for (const [name, body, field] of rows) {
		const reply = await build(name, body);
		assert.equal(reply.status, 400, `${name} ${JSON.stringify(body)}: ${reply.text}`);
		assert.equal(reply.json.field, field, reply.text);
	}
	for (const body of ["", "{", "[]", "null", '{"buyer":"\xff"}', `{"buyer":"${buyer.address}","buyer":"${buyer.address}"}`])
		assert.equal((await node.ask("POST", "/tx/create-session", body, { headers: { "content-type": "application/json" } })).status, 400, body);
});

// At another node, whose operator never claims: this one would have settled it.
test("reclaimed after the grace", async () => {
	const wallet = Chain.wallet(5).connect(provider);
	const id = await s.f.buy({ nodeId: await s.f.register({}, s.f.stranger), duration: DAY });
	const early = await build("reclaim", { session_id: id });
	assert.match(early.json.detail, /GraceNotOver/);
	await s.chain.advance(90 * DAY);
	await send(await build("reclaim", { session_id: id }), wallet);
	const session = await s.f.session(id);
	assert.equal(session.status, Status.settled);
	assert.equal(session.claimedBytes, 0n);
});

// The chain is 90 days ahead of this host now.
test("a top-up is judged by the chain's time", async () => {
	const { id } = await bought({ data_gb: 1, duration_sec: DAY });
	let reply;
	await until("a top-up of a session that is young on the chain", async () => {
		reply = await build("top-up", { session_id: id, data_gb: 1, duration_sec: DAY });
		return reply.status === 200;
	}, 30000);
	await send(reply);
	assert.equal((await s.f.session(id)).boughtBytes, 2n * GB);
});
