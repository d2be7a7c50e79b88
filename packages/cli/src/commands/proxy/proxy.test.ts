import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openCaptureStore } from "@tracemill/local/capture-store.ts";
import { expect, test } from "vitest";
import { capturedExchange } from "../../../../../test/fakes/captured.ts";
import { fakeClock } from "../../../../../test/fakes/clock.ts";
import { printed, runCommand } from "../../../../../test/fakes/printed.ts";
import { tempDir } from "../../../../../test/fakes/temp-dir.ts";
import { proxyCommand } from "../proxy.ts";
import { homePort, homeSecret, proxyFiles } from "./proxy-home.ts";

async function homeWith(...exchanges: Parameters<typeof capturedExchange>[]) {
  const dir = await tempDir();
  const store = openCaptureStore(proxyFiles(dir.path).captures, { clock: fakeClock() });
  for (const exchange of exchanges) await store.append(capturedExchange(...exchange), { email: 1 });
  await store[Symbol.asyncDispose]();
  return dir;
}

test("an empty home says how to begin", async () => {
  await using home = await homeWith();
  expect(await printed(home.path, proxyCommand, "sessions")).toContain("try: tracemill proxy exec -- CMD");
  await expect(printed(home.path, proxyCommand, "show", "latest")).rejects.toThrow(
    "nothing is captured here yet",
  );
});

test("sessions are listed with what was asked, used and taken out", async () => {
  await using home = await homeWith(["run-1", "a", 0], ["run-1", "b", 2], ["run-2", "c", 4]);
  const [head, first, second] = (await printed(home.path, proxyCommand, "sessions")).split("\n");
  expect(head).toMatch(/^session +started +asked +failed +other +models/);
  expect(first).toMatch(/^run-1 +2026-01-01 12:00:00 +2 +0 +0 +gpt-test +20 +10 +email 2$/);
  expect(second).toMatch(/^run-2 /);
});

test("a session is named by its name, its beginning, or as the latest", async () => {
  await using home = await homeWith(["run-1", "a", 0], ["run-2", "c", 4]);
  expect(await printed(home.path, proxyCommand, "show", "latest")).toContain(
    "api.openai.com/v1/chat/completions",
  );
  expect(await printed(home.path, proxyCommand, "show", "run-1")).toMatch(
    /\n1 exchanges; taken out: email 1\n/,
  );
  await expect(printed(home.path, proxyCommand, "show", "run")).rejects.toThrow(
    "2 sessions begin so (run-1, run-2)",
  );
  await expect(printed(home.path, proxyCommand, "show", "x")).rejects.toThrow(
    "`tracemill proxy sessions` lists them",
  );
});

test("sessions are exported as lines of a file", async () => {
  await using home = await homeWith(["run-1", "a", 0], ["run-2", "c", 4]);
  const file = join(home.path, "out.jsonl");
  await printed(home.path, proxyCommand, "export", "run-1", "run-2", "--format", "cleaned", "--out", file);
  const lines = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  expect(lines).toMatchObject([
    { session_id: "run-1", traces: [{ request: { model: "gpt-test" } }] },
    { session_id: "run-2", traces: [{ ts_ms: Date.parse("2026-01-01T12:00:05.000Z") }] },
  ]);
});

test("a session in which no model was asked has no trajectory, and the words say what it has", async () => {
  await using home = await homeWith();
  const store = openCaptureStore(proxyFiles(home.path).captures, { clock: fakeClock() });
  const { protocol: _, ...other } = capturedExchange("run-1", "a");
  await store.append(other);
  await store[Symbol.asyncDispose]();
  await expect(printed(home.path, proxyCommand, "export", "run-1")).rejects.toThrow("--format exchanges");
});

test("the certificate is shown with its fingerprint, and each way to trust it with its way back", async () => {
  await using home = await homeWith();
  const text = await printed(home.path, proxyCommand, "ca");
  expect(text).toMatch(/^sha-256 +([0-9A-F]{2}:){31}[0-9A-F]{2}$/m);
  const ways = text.split("\n\n").slice(1);
  expect(ways).toHaveLength(5);
  for (const way of ways) expect(way).toMatch(/\n {2}.*\nundo\n {2}/);
  expect(await printed(home.path, proxyCommand, "ca")).toBe(text);
});

test("what a home keeps for its proxy is made once, and is for its user alone", async () => {
  await using home = await homeWith();
  const made = await Promise.all(
    [1, 2, 3].map(async () => [await homeSecret(home.path), await homePort(home.path)]),
  );
  expect(new Set(made.map(String)).size).toBe(1);
  const { secret, dir } = proxyFiles(home.path);
  expect((await stat(secret)).mode & 0o777).toBe(0o600);
  expect((await stat(dir)).mode & 0o777).toBe(0o700);
});

test("`status` ends with 1 when no proxy runs, also when one was killed", async () => {
  await using home = await homeWith();
  await homeSecret(home.path);
  const gone = {
    owner: "host/boot/space/1/1/own_1",
    pid: 1,
    port: 1,
    url: "",
    startedAt: "2026-01-01T00:00:00.000Z",
  };
  await writeFile(proxyFiles(home.path).running, JSON.stringify({ ...gone, captures: "" }));
  expect((await runCommand(home.path, proxyCommand, "status")).exitCode).toBe(0);
  const { hostname } = await import("node:os");
  await writeFile(
    proxyFiles(home.path).running,
    JSON.stringify({ ...gone, owner: gone.owner.replace("host", hostname()), captures: "" }),
  );
  expect(await runCommand(home.path, proxyCommand, "status")).toMatchObject({
    exitCode: 1,
    printed: expect.stringContaining("no proxy runs"),
  });
});

test("a program of somebody else's is not replaced and not removed", async () => {
  await using home = await homeWith();
  const path = join(home.path, "codex-synth");
  await writeFile(path, "#!/bin/sh\necho mine\n");
  for (const verb of ["install", "uninstall"]) {
    await expect(printed(home.path, proxyCommand, verb, "--dir", home.path)).rejects.toMatchObject({
      code: "conflict",
      message: expect.stringContaining("left as it is"),
    });
  }
  expect(await readFile(path, "utf8")).toBe("#!/bin/sh\necho mine\n");
  expect(await printed(home.path, proxyCommand, "install", "--dir", home.path, "--name", "mine")).toContain(
    "mine exec",
  );
  expect((await stat(join(home.path, "mine"))).mode & 0o111).toBe(0o111);
});

test("a name that is none costs nothing of the file that was to be replaced", async () => {
  await using home = await homeWith(["run-1", "a", 0]);
  const file = join(home.path, "out.jsonl");
  await writeFile(file, "kept");
  await expect(
    printed(home.path, proxyCommand, "export", "run-1", "no-such", "--out", file),
  ).rejects.toMatchObject({ code: "not-found" });
  expect(await readFile(file, "utf8")).toBe("kept");
});
