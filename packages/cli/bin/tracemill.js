#!/usr/bin/env node
// Runs the command line on the Node 24 that comes as a dependency, whatever the host has.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const main = new URL("../src/main.ts", import.meta.url);
const major = Number(process.versions.node.split(".")[0]);

if (major >= 24) {
  await import(main.href);
} else {
  const bundled = createRequire(import.meta.url).resolve("node/bin/node");
  const child = spawn(bundled, [fileURLToPath(main), ...process.argv.slice(2)], { stdio: "inherit" });
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
  child.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" ? 130 : 143)));
}
