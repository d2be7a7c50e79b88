import { existsSync } from "node:fs";
import { mkdir, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ownIdentity } from "@tracemill/agents/sandbox/namespace/process-identity.ts";
import { expect, test } from "vitest";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { removeAll } from "../clean-home.ts";
import type { CliContext } from "../context.ts";
import type { Removable } from "../leftovers.ts";
import { createOutput } from "../output.ts";
import { cleanCommand } from "./clean.ts";

const day = 86_400_000;

/** A home with what runs leave: of a live process and of a dead one, layers used just now and long ago. */
async function home() {
  const dir = await tempDir();
  const at = (...path: string[]) => join(dir.path, ...path);
  const make = async (folder: string, file: string, text: string, ageMs = 0): Promise<void> => {
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, file), text);
    const when = new Date(Date.now() - ageMs);
    await utimes(join(folder, file), when, when);
    await utimes(folder, when, when);
  };
  await make(at("sandboxes", "live"), "owner", ownIdentity());
  await make(at("sandboxes", "dead"), "owner", "999999999 1");
  await make(at("cache", "layers", "building", "dead"), "owner", "999999999 1");
  await make(at("tmp"), "999999999-x-1", "half a file", 2 * day);
  await make(at("tmp"), `${process.pid}-x-1`, "in use", 2 * day);
  await make(at("cache", "layers", "layers", "old"), "opaque.json", "x".repeat(10_000), 8 * day);
  await make(at("cache", "layers", "layers", "fresh"), "opaque.json", "{}", 3 * day);
  await make(at("cache", "agents", "codex-1"), "package.json", "{}", 8 * day);
  await make(at("cache", "agents", "codex-2"), "package.json", "{}", 3 * day);
  return { ...dir, at, left: (...paths: string[][]) => paths.map((path) => existsSync(at(...path))) };
}

async function clean(dir: string, ...args: string[]): Promise<{ lines: string[]; events: unknown[] }> {
  const lines: string[] = [];
  const written = { write: (text: string) => lines.push(text.trimEnd()) };
  const out = createOutput({ stdout: written, stderr: { write: () => undefined } });
  const context = { home: dir, clock: { now: () => Date.now() }, out, exitCode: 0 } as unknown as CliContext;
  const isJson = args.includes("--json");
  out.json = isJson;
  const command = cleanCommand(context, { engine: async () => undefined });
  await command.exitOverride().parseAsync(args, { from: "user" });
  return { lines, events: isJson ? lines.map((line) => JSON.parse(line) as unknown) : [] };
}

const dead = [
  ["sandboxes", "dead"],
  ["cache", "layers", "building", "dead"],
  ["tmp", "999999999-x-1"],
];
const live = [
  ["sandboxes", "live"],
  ["tmp", `${process.pid}-x-1`],
];
const layers = [
  ["cache", "layers", "layers", "old"],
  ["cache", "layers", "layers", "fresh"],
];

test("removes what dead processes have left, and nothing of live ones", async () => {
  await using dir = await home();
  const { lines } = await clean(dir.path);
  expect(lines.at(-1)).toMatch(/^removed \d+ things, [\d.]+ KiB$/);
  expect(dir.left(...dead)).toEqual([false, false, false]);
  expect(dir.left(...live, ...layers)).toEqual([true, true, true, true]);
  expect((await clean(dir.path)).lines).toEqual(["nothing to remove"]);
});

test("says what it would remove, with sizes, and removes nothing", async () => {
  await using dir = await home();
  const { events } = await clean(dir.path, "--dry-run", "--layers", "--json");
  expect(events).toHaveLength(5);
  expect(events).toContainEqual({
    kind: "layer",
    name: dir.at("cache", "layers", "layers", "old"),
    bytes: expect.closeTo(16_384, -4),
    removed: false,
  });
  expect(dir.left(...dead, ...live, ...layers)).toEqual(Array(7).fill(true));
});

test("layers go by their last use", async () => {
  await using dir = await home();
  await clean(dir.path, "--layers");
  expect(dir.left(...layers)).toEqual([false, true]);
  await clean(dir.path, "--layers", "--older-than", "2d");
  expect(dir.left(...layers)).toEqual([false, false]);
});

test("programs of agents go with the layers, by their last use", async () => {
  await using dir = await home();
  const programs = ["codex-1", "codex-2"].map((name) => ["cache", "agents", name]);
  await clean(dir.path);
  expect(dir.left(...programs)).toEqual([true, true]);
  await clean(dir.path, "--layers");
  expect(dir.left(...programs)).toEqual([false, true]);
});

test("a home that is not there is clean", async () => {
  const { lines } = await clean("/nowhere/at/all", "--layers", "--dry-run");
  expect(lines).toEqual(["nothing to remove"]);
});

test("an age that is none is refused", async () => {
  await using dir = await home();
  await expect(clean(dir.path, "--layers", "--older-than", "soon")).rejects.toThrow("12h or 7d");
});

test("what cannot be removed is named, and the rest goes on", async () => {
  let said = "";
  const stream = { write: (text: string) => (said += text) };
  const context = { out: createOutput({ stdout: stream, stderr: stream }), exitCode: 0 };
  const stuck: Removable = { kind: "layer", name: "stuck", remove: () => Promise.reject(new Error("busy")) };
  const loose: Removable = { kind: "scratch", name: "loose", remove: async () => true };
  expect(await removeAll([stuck, loose], context)).toEqual([loose]);
  expect(said).toMatch(/layer +stuck: cannot be removed: busy\nscratch +loose\n/);
  expect(context.exitCode).toBe(1);
});
