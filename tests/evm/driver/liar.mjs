// SPDX-License-Identifier: Apache-2.0
//
// A lying proxy between a driver and a real node: passes JSON-RPC on and spoils the answers as its `lie` says. The only thing
// in these tests that is not what it claims to be.
import http from "node:http";
import { ethers } from "ethers";

const rpc_error = (code, message) => ({ rpc_error: { code, message } });

// name → what becomes of one request. `call` asks the node; replies are JSON-RPC reply objects.
export const LIES = {
	none: {},
	// Transport.
	down: { transport: (socket) => socket.destroy() },
	silent: { transport: () => {} },
	http_500: { status: 500 },
	http_429: { status: 429 },
	html: { text: () => "<html>Bad gateway</html>" },
	cut_short: { text: (text) => text.slice(0, -2) },
	// A true answer, a byte every 100 ms: never idle, and never done within the second that it is given. The second does it with the header too.
	trickle: { trickle: (response, text) => drip(response, response, text) },
	trickle_header: { trickle: (response, text) => drip(response, response.socket, `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`) },
	huge: { text: () => `"${"x".repeat(6 << 20)}"` },
	// Envelope.
	wrong_id: { reply: (r) => ({ ...r, id: r.id + 1000 }) },
	no_result: { reply: ({ result, ...r }) => r },
	// Content.
	wrong_chain: { eth_chainId: () => "0x1" },
	no_receipts: { eth_getTransactionReceipt: () => null },
	bad_receipts: { eth_getTransactionReceipt: (r) => r && { ...r, status: "0x7" } },
	foreign_receipts: { eth_getTransactionReceipt: (r) => r && { ...r, transactionHash: "0x" + "11".repeat(32) } },
	receipt_of_no_block: { eth_getTransactionReceipt: (r) => r && {
		...r, blockHash: "0x" + "22".repeat(32), logs: r.logs.map((l) => ({ ...l, blockHash: "0x" + "22".repeat(32) })) } },
	// Another outcome of one session than the one that happened, in an otherwise true receipt.
	changed_receipts: { eth_getTransactionReceipt: (r) => r && { ...r, logs: r.logs.map((l) => ({
		...l, data: l.data.replace(/[0-9a-f](?=[0-9a-f]{128}$)/, (c) => (c === "1" ? "2" : "1")) })) } },
	receipts_without_logs: { eth_getTransactionReceipt: (r) => r && { ...r, logs: [] } },
	failed_receipts: { eth_getTransactionReceipt: (r) => r && { ...r, status: "0x0", logs: [] } },
	no_estimate: { eth_estimateGas: () => rpc_error(-32603, "internal error") },
	false_revert: { eth_estimateGas: () => rpc_error(3, "execution reverted: NotOperatorOrSettler") },
	absurd_estimate: { eth_estimateGas: () => "0x7fffffff" },
	tiny_estimate: { eth_estimateGas: () => "0x5208" },
	absurd_tip: { eth_maxPriorityFeePerGas: () => "0x" + "ff".repeat(10) },
	absurd_base_fee: { eth_getBlockByNumber: (r) => r && { ...r, baseFeePerGas: "0x" + "ff".repeat(8) } },
	// Whatever has this in its data would fail, it says.
	poisoned: { eth_estimateGas: (r, [call], { poison }) => (poison && call.data.includes(poison.slice(2)) ? rpc_error(3, "execution reverted") : r) },
	wrong_hash: { eth_sendRawTransaction: () => "0x" + "33".repeat(32) },
	// Told as sent, and forgotten.
	swallow: { instead: { eth_sendRawTransaction: (params) => ethers.keccak256(params[0]) } },
	// True, but for short ranges only, as most public endpoints are.
	short_ranges: { eth_getLogs: (r, [filter]) =>
		Number(filter.toBlock) - Number(filter.fromBlock) < 50 ? r : rpc_error(-32005, "block range is too wide") },
	// True as well, but the answer about a long range is longer than is read.
	long_answers: { eth_getLogs: (r, [filter]) => (Number(filter.toBlock) - Number(filter.fromBlock) < 50 ? r : "x".repeat(6 << 20)) },
	head_back: { eth_getBlockByNumber: (r, params, state) => {
		if (params[0] !== "latest" || !r) return r;
		state.n = (state.n ?? 0) + 1;
		return state.n > 1 ? { ...r, number: "0x1" } : r;
	} },
	// Its head is the one that was asked for first, for ever.
	stands_still: { eth_getBlockByNumber: (r, [tag], state) => (tag === "latest" ? (state.still ??= r) : r) },
	head_ahead: { eth_getBlockByNumber: (r, [tag]) =>
		tag === "latest" && r ? { ...r, number: "0x" + (Number(r.number) + 1000).toString(16) } : r },
	// Honest, but its newest blocks are not there yet: less than what gives a laggard away, and more.
	behind: { lag: 4 },
	far_behind: { lag: 12 },
	// Many hosts behind one URL: the one that gets the questions for logs is behind, the others are not.
	stale_pool: { lag: 4, only: "eth_getLogs" },
	// The same chain id and other blocks: a fork of its own.
	other_fork: { eth_getBlockByNumber: (r) => r && { ...r, hash: ethers.keccak256(r.hash) } },
	clock_ahead: { eth_getBlockByNumber: (r) => r && { ...r, timestamp: ethers.toQuantity(BigInt(r.timestamp) + 75n) } },
	removed_logs: { eth_getLogs: (r) => r.map((l) => ({ ...l, removed: true })) },
	no_logs: { eth_getLogs: () => [] },
	logs_twice: { eth_getLogs: (r) => [...r, ...r] },
	logs_reversed: { eth_getLogs: (r) => [...r].reverse() },
	logs_of_others: { eth_getLogs: (r) => r.map((l) => ({ ...l, address: "0x" + "44".repeat(20) })) },
	logs_elsewhere: { eth_getLogs: (r) => r.map((l) => ({ ...l, blockNumber: "0x7fffffff" })) },
	logs_of_no_block: { eth_getLogs: (r) => r.map((l) => ({ ...l, blockHash: "0x" + "55".repeat(32) })) },
	changed_logs: { eth_getLogs: (r) => r.map((l) => ({ ...l, data: l.data.slice(0, -1) + (l.data.endsWith("1") ? "2" : "1") })) },
};

function drip(response, stream, text) {
	let at = 0;
	const timer = setInterval(() => {
		if (response.socket?.destroyed !== false || at === text.length) {
			clearInterval(timer);
			response.destroy();
		} else {
			stream.write(text[at++]);
		}
	}, 100);
}

export class Liar {
	static async start(nodeUrl, lie = "none") {
		const liar = new Liar();
		liar.lie = lie;
		liar.calls = 0;
		liar.lies = 0;
		liar.nodeUrl = nodeUrl;
		liar.state = {};
		liar.server = http.createServer((request, response) => {
			let body = "";
			request.setEncoding("utf8").on("data", (d) => (body += d)).on("end", () => {
				liar.answer(body, request, response).catch((error) => response.writeHead(502).end(String(error)));
			});
		});
		await new Promise((resolve) => liar.server.listen(0, "127.0.0.1", resolve));
		liar.url = `http://127.0.0.1:${liar.server.address().port}`;
		return liar;
	}

	async answer(body, request, response) {
		const lie = LIES[this.lie];
		if (!lie) throw new Error(`no such lie: ${this.lie}`);
		this.calls++;
		if (lie.transport) return lie.transport(request.socket);
		if (lie.status) return response.writeHead(lie.status).end("no");
		const only = [JSON.parse(body)].flat()[0];
		const instead = lie.instead?.[only.method];
		if (instead) {
			this.lies++;
			response.writeHead(200, { "content-type": "application/json" });
			const told = { jsonrpc: "2.0", id: only.id, result: instead(only.params) };
			return response.end(JSON.stringify(body.startsWith("[") ? [told] : told));
		}
		const lag = lie.lag && [JSON.parse(body)].flat().some((q) => !lie.only || q.method === lie.only);
		if (lag) this.head = Math.max(0, Number(await this.ask("eth_blockNumber")) - lie.lag);
		if (lag) body = JSON.stringify(this.ofThePast(JSON.parse(body)));
		const reply = await fetch(this.nodeUrl, { method: "POST", body, headers: { "content-type": "application/json" } });
		let text = await reply.text();
		const asked = [JSON.parse(body)].flat();
		const spoil = (r) => {
			const question = asked.find((q) => q.id === r.id);
			const change = question && lie[question.method];
			if (lag && r.error === undefined) r = this.withoutTheNewest(r);
			if (change && r.error === undefined) {
				this.lies++;
				const { result, ...rest } = r;
				const told = change(result, question.params, this.state);
				r = told?.rpc_error ? { ...rest, error: told.rpc_error } : { ...rest, result: told };
			}
			return lie.reply ? lie.reply(r) : r;
		};
		const parsed = JSON.parse(text);
		text = JSON.stringify(Array.isArray(parsed) ? parsed.map(spoil) : spoil(parsed));
		if (lie.text) text = lie.text(text);
		if (lie.trickle) return lie.trickle(response, text);
		response.writeHead(200, { "content-type": "application/json" }).end(text);
	}

	async ask(method, ...params) {
		const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
		const reply = await fetch(this.nodeUrl, { method: "POST", body, headers: { "content-type": "application/json" } });
		return (await reply.json()).result;
	}

	// Questions as somebody hears them for whom this.head is the newest block.
	ofThePast(questions) {
		if (Array.isArray(questions)) return questions.map((q) => this.ofThePast(q));
		const { method, params } = questions;
		if (method !== "eth_getBlockByNumber" || params[0] !== "latest") return questions;
		this.lies++;
		return { ...questions, params: [ethers.toQuantity(this.head), params[1]] };
	}

	withoutTheNewest(reply) {
		const isNew = (x) => Number(x.blockNumber ?? x.number) > this.head;
		const { result } = reply;
		if (Array.isArray(result) && result.some(isNew)) this.lies++;
		if (Array.isArray(result)) return { ...reply, result: result.filter((log) => !isNew(log)) };
		const isGone = result !== null && typeof result === "object" && isNew(result);
		if (isGone) this.lies++;
		return isGone ? { ...reply, result: null } : reply;
	}

	stop() {
		this.server.closeAllConnections?.();
		this.server.close();
	}
}
