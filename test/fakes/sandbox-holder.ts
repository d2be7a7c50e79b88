/**
 * A process of its own that opens a sandbox, for tests of what only another process shows: another user, a
 * sudden death, inherited files. `node sandbox-holder.ts DIR LAUNCHER`; answers one JSON line, then waits.
 */
import { join } from "node:path";
import { namespaceSandboxes } from "@tracemill/agents/sandbox/namespace/provider.ts";
import { readLayer } from "@tracemill/core/workspace/layer.ts";
import { specOf } from "../contract/open-sandbox.ts";
import { gather } from "./gather.ts";

const [dir = "", launcher = "unshare"] = process.argv.slice(2);
const provider = namespaceSandboxes({
  dir: join(dir, "running"),
  cacheDir: join(dir, "cache"),
  launcher: launcher === "bwrap" ? "bwrap" : "unshare",
});
const dockerfile =
  "FROM base\nRUN echo built > /etc/built && mkdir /usr/local/built && ln -s /etc/built /usr/bin/built\n";
const sandbox = await provider.create(specOf({ environment: { dockerfile }, limits: { pids: 60 } }));
await sandbox.writeFiles([
  { path: "/app/run.sh", content: "#!/bin/sh\ncat /usr/bin/built; id -u\n", mode: 0o755 },
]);
const ran = await sandbox.exec(["/app/run.sh"]);
const files = await sandbox.exec([
  "/bin/sh",
  "-c",
  "readlink /proc/self/fd/*; echo x > /usr/local/built/x; chmod 000 /usr/local/built/x",
]);
const changes = (await gather(readLayer(sandbox.diff()))).map(({ type, path }) => `${type} ${path}`);
const door = await sandbox.listen((connection) => connection.end("open"));
const visit = await sandbox.exec(["/bin/bash", "-c", `cat < /dev/tcp/127.0.0.1/${door.port}`]);
const bomb = await sandbox.exec(["/bin/sh", "-c", "for i in $(seq 100); do sleep 2 & done; wait"], {
  timeoutMs: 1_500,
});
await sandbox.start(["sleep", "86421"]);
process.stdout.write(
  `${JSON.stringify({ stdout: ran.stdout, changes, files: files.stdout, bomb: bomb.stderr, visit: visit.stdout, ...sandbox.description })}\n`,
);
process.stdin.resume();
await new Promise((resolve) => process.stdin.once("end", resolve));
await sandbox.close();
