/**
 * The capture proxy as a process of its own, with the redactor and the store that `tracemill proxy` has.
 *
 *   node bench/proxy-child.ts '{"dir": "/tmp/x", "providerCa": PEM}'
 */
import { join } from "node:path";
import type { CaptureSession } from "@tracemill/agents/capture/capture.ts";
import { openAuthority } from "@tracemill/agents/capture/certificate-authority.ts";
import { openCaptureProxy } from "@tracemill/agents/capture/proxy.ts";
import { createRedactor } from "@tracemill/core/redact/create.ts";
import { openCaptureStore } from "@tracemill/local/capture-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";

const { dir, providerCa } = JSON.parse(process.argv[2] ?? "") as { dir: string; providerCa: string };
const authority = await openAuthority(join(dir, "authority"));
const store = openCaptureStore(join(dir, "captures.sqlite"), { clock: systemClock });
const proxy = await openCaptureProxy({
  authority,
  intercept: ["127.0.0.1"],
  ca: [providerCa],
  onProblem: (error) => {
    throw error;
  },
});
const sessions = new Map<string, CaptureSession>();
const { port } = await proxy.listen(0, (id) => {
  const known = sessions.get(id) ?? {
    id,
    redactor: createRedactor(),
    record: (exchange) => store.append(exchange),
  };
  sessions.set(id, known);
  return known;
});
process.send?.({ port, ca: authority.certificate });
process.once("message", async () => {
  await proxy[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
  process.disconnect();
});
