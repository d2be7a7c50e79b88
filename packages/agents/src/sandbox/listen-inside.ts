import { spawn } from "node:child_process";
import { once } from "node:events";
import { Server } from "node:net";
import { TracemillError } from "@tracemill/core/errors.ts";
import { toolEnv } from "./namespace/tools.ts";

/** 50 ms on an idle machine. */
const patienceMs = 20_000;

/** Listens where it runs, hands the socket to its parent, and ends. */
const program = `
const server = require("node:net").createServer();
server.on("error", (error) => { process.stderr.write(error.message); process.exitCode = 1; process.disconnect(); });
server.listen({ host: "127.0.0.1", port: Number(process.argv[1]) }, () =>
  process.send("listening", server, () => process.exit()));
`;

/**
 * Listens on 127.0.0.1 in another network namespace, from this process: connections that are made in there arrive
 * here. Needs util-linux' nsenter, and the right to enter.
 * @param namespaces whose, as options of nsenter.
 * @param port 0: any that is free.
 * @throws TracemillError `sandbox-failed`, with what was said.
 */
export async function listenInside(namespaces: readonly string[], port: number): Promise<Server> {
  const child = spawn("nsenter", [...namespaces, "--", process.execPath, "-e", program, String(port)], {
    stdio: ["ignore", "ignore", "pipe", "ipc"],
    env: toolEnv,
    timeout: patienceMs,
    killSignal: "SIGKILL",
  });
  let said = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-500);
  });
  let server: Server | undefined;
  child.on("message", (_, handle) => {
    if (handle instanceof Server) server = handle;
  });
  const ended = await once(child, "close").catch((error: Error) => error);
  if (server !== undefined) return server;
  const why = said.trim() || (ended instanceof Error ? ended.message : "it ended without a word");
  throw new TracemillError("sandbox-failed", `nothing can listen in the sandbox: ${why}`, {
    retryable: true,
  });
}
