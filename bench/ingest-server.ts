/**
 * A production API that makes its answers up as it is asked, as a process of its own. Tells its parent its address,
 * and on any message how many requests and connections it has had.
 *
 *   node bench/ingest-server.ts '{"tasks": 10000, "delayMs": 20}'
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

export interface IngestServerOptions {
  tasks: number;
  /** Before each answer. */
  delayMs: number;
  /** Makes each solution this long: in many small steps, or in one screenshot. */
  big?: { bytes: number; as: "steps" | "screenshot" };
}

export interface IngestServerStats {
  requests: number;
  connections: number;
}

const solutionsEach = 3;
const updatedAt = "2026-01-01T00:00:00Z";
const { tasks, delayMs, big } = JSON.parse(process.argv[2] ?? "") as IngestServerOptions;
const stats: IngestServerStats = { requests: 0, connections: 0 };

const step = {
  thought: "The report wants the sum of the column, so the file has to be read first.",
  tool: "bash",
  arguments: { command: "awk -F, '{ sum += $3 } END { print sum }' /data/report.csv" },
  observation: "1234.50\n".repeat(30),
};
const steps = JSON.stringify(Array.from({ length: 5 }, () => step));

function solution(taskId: string, index: number): string {
  const score = ((index % 7) / 7).toFixed(3);
  return `{"id":"${taskId}-s${index}","task_id":"${taskId}","agent":"bench","steps":${steps},"evaluation":{"status":"passed","score":${score}}}`;
}

function task(index: number): string {
  return `{"id":"t${index}","status":"done","prompt":"Sum the third column of report ${index}.","updated_at":"${updatedAt}","solutions_count":${big === undefined ? solutionsEach : 1}}`;
}

function answerTo(url: URL): string {
  const id = /\/tasks\/([^/]+)\/solutions$/.exec(url.pathname)?.[1];
  if (id !== undefined) {
    const all = Array.from({ length: solutionsEach }, (_, index) => solution(id, index));
    return `{"results":[${all.join(",")}],"total":${solutionsEach}}`;
  }
  const page = Number(url.searchParams.get("page") ?? "1");
  const size = Number(url.searchParams.get("page_size") ?? "100");
  const from = (page - 1) * size;
  const all = Array.from({ length: Math.max(0, Math.min(size, tasks - from)) }, (_, index) =>
    task(from + index),
  );
  return `{"results":[${all.join(",")}],"total":${tasks}}`;
}

async function sendBig(response: ServerResponse, { bytes, as }: NonNullable<typeof big>): Promise<void> {
  const [head, piece, tail] =
    as === "steps"
      ? ['"steps":[', `${steps.slice(1, -1)},`, `${JSON.stringify(step)}]`]
      : ['"steps":[{"image":"data:image/png;base64,', "iVBORw0KGgoAAAANSUhEUgAA".repeat(2_000), '"}]'];
  response.write(`{"results":[{"id":"big","agent":"bench",${head}`);
  for (let sent = 0; sent < bytes; sent += piece.length) {
    if (!response.write(piece)) await new Promise((resolve) => response.once("drain", resolve));
  }
  response.end(`${tail}}],"total":1}`);
}

const server = createServer(async (request, response) => {
  stats.requests += 1;
  const url = new URL(request.url ?? "/", "http://localhost");
  if (delayMs > 0) await sleep(delayMs);
  response.setHeader("content-type", "application/json");
  if (big !== undefined && url.pathname.endsWith("/solutions")) await sendBig(response, big);
  else response.end(answerTo(url));
});
server.on("connection", () => {
  stats.connections += 1;
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => {
  process.send?.({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api` });
});
process.on("message", () => process.send?.(stats));
process.on("disconnect", () => process.exit(0));
