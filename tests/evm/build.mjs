// SPDX-License-Identifier: Apache-2.0
//
// The work of scripts/build-contracts: compiles the product's contracts and compares with, or
// writes, the artifacts.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { artifact_text, artifactsDir, compile, contractsDir } from "./compile.mjs";

export const PRODUCT = ["NodeRegistry", "EscrowPayment"];

// Returns [{ path, text, committed }] for each artifact; committed is null where there is none.
export function build() {
	const artifacts = compile(contractsDir);
	return PRODUCT.map((name) => {
		const path = join(artifactsDir, `${name}.json`);
		const committed = existsSync(path) ? readFileSync(path, "utf8") : null;
		return { name, path, text: artifact_text(artifacts[name]), committed };
	});
}

export function main(args) {
	if (args.some((arg) => arg !== "--check")) {
		console.error("usage: build-contracts [--check]");
		return 2;
	}
	const check = args.includes("--check");
	let stale = 0;
	mkdirSync(artifactsDir, { recursive: true });
	for (const { name, path, text, committed } of build()) {
		const same = text === committed;
		if (!same && !check) writeFileSync(path, text);
		if (!same && check) stale++;
		console.error(
			`${name}: ${same ? "unchanged" : check ? "differs from the sources" : "written"}`,
		);
	}
	return stale ? 1 : 0;
}
