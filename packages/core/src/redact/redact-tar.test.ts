import { randomBytes } from "node:crypto";
import { describe, expect, test } from "vitest";
import { plantedSecrets, plantedText } from "../../../../test/fakes/planted-secrets.ts";
import { collect } from "../streams.ts";
import { type LayerEntry, readLayer, writeLayer } from "../workspace/layer.ts";
import { createRedactor } from "./create.ts";
import { redactBytes } from "./redact-bytes.ts";
import { redactTar } from "./redact-tar.ts";

const secrets = plantedSecrets(3);
const secret = secrets[0]?.value ?? "";
const [pem = ""] = secrets.filter(({ kind }) => kind === "private-key").map(({ text }) => text);

async function* inChunks(data: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

async function redactedBytes(data: Buffer | string, chunk = 65_536): Promise<Buffer> {
  return collect(redactBytes(inChunks(Buffer.from(data), chunk), createRedactor()));
}

function file(path: string, content: Buffer | string, mode = 0o644): LayerEntry {
  const data = Buffer.from(content);
  return { type: "file", path, mode, size: data.length, body: inChunks(data, 10_000) };
}

describe("bytes", () => {
  test("of the same length, and whatever their encoding otherwise the same", async () => {
    const noise = randomBytes(5_000).map((byte) => byte || 1);
    const data = Buffer.concat([noise, Buffer.from(`\nkey ${secret}\n`), noise]);
    const redacted = await redactedBytes(data);
    expect(redacted.length).toBe(data.length);
    expect(redacted.includes(secret)).toBe(false);
    expect(redacted.subarray(0, 5_000)).toEqual(Buffer.from(noise));
    expect(redacted.subarray(-5_000)).toEqual(Buffer.from(noise));
    expect(redacted.includes("\nkey [REDACTED:openai-key]***")).toBe(true);
  });

  test("a secret at any place of a large file, however it is cut", async () => {
    const filler = "all work and no play makes jack a dull boy\n";
    const size = 1_300_000;
    for (const at of [0, 100, 415_000, 425_970, 425_984, 426_000, 524_280, 600_000, 851_900, 949_999, size]) {
      const text = filler.repeat(Math.ceil(size / filler.length)).slice(0, size);
      const data = `${text.slice(0, at)}\n${secret}\n${pem}\n${text.slice(at)}`;
      const redacted = await redactedBytes(data, 70_001);
      expect(redacted.length).toBe(data.length);
      expect(redacted.includes(secret), `at ${at}`).toBe(false);
      expect(redacted.includes("BEGIN OPENSSH"), `at ${at}`).toBe(false);
      expect(redacted.toString().replaceAll(/\n\[REDACTED[^\n]*/g, "\n")).toBe(
        `${text.slice(0, at)}\n\n\n${text.slice(at)}`,
      );
    }
  }, 60_000);

  test("the same for any cutting into chunks", async () => {
    const data = Buffer.from(`text ${plantedText(secrets)} text`);
    const whole = await redactedBytes(data);
    for (const size of [1, 7, 100, 4_096]) expect(await redactedBytes(data, size)).toEqual(whole);
  });

  test("binary data is searched for secrets that have a form of their own", async () => {
    const data = Buffer.concat([Buffer.alloc(20), Buffer.from(`${secret}\0password=q8Zr2LmV9xTw4KpB\0`)]);
    const redacted = await redactedBytes(data);
    expect(redacted.includes(secret)).toBe(false);
    expect(redacted.includes("q8Zr2LmV9xTw4KpB")).toBe(true);
  });
});

describe("workspace", () => {
  const entries = (): LayerEntry[] => [
    { type: "directory", path: "app", mode: 0o755 },
    file("app/clean.txt", "nothing here"),
    file("app/.env", `OPENAI_API_KEY=${secret}\n`, 0o600),
    file(`app/${secret}.txt`, "x"),
    { type: "symlink", path: "app/link", target: `/app/${secret}.txt` },
    { type: "whiteout", path: "app/gone" },
    { type: "opaque", path: "app/new" },
  ];

  test("contents keep their sizes, names and links lose theirs, and the report names what changed", async () => {
    const redactor = createRedactor();
    const { tar, files } = redactTar(writeLayer(entries()), redactor);
    const found: Record<string, unknown>[] = [];
    for await (const entry of readLayer(tar)) {
      if (entry.type === "file") {
        found.push({ ...entry, body: (await collect(entry.body)).toString() });
      } else found.push(entry);
    }
    expect(found).toMatchObject([
      { type: "directory", path: "app", mode: 0o755 },
      { type: "file", path: "app/clean.txt", body: "nothing here" },
      {
        path: "app/.env",
        mode: 0o600,
        size: 16 + secret.length,
        body: `OPENAI_API_KEY=${"[REDACTED:openai-key]".padEnd(secret.length, "*")}\n`,
      },
      { path: "app/[REDACTED:openai-key].txt", body: "x" },
      { type: "symlink", path: "app/link", target: "/app/[REDACTED:openai-key].txt" },
      { type: "whiteout", path: "app/gone" },
      { type: "opaque", path: "app/new" },
    ]);
    const one = { "openai-key": 1 };
    expect(files).toEqual([
      { path: "/app/.env", counts: one },
      { path: "/app/[REDACTED:openai-key].txt", counts: one },
      { path: "/app/link", counts: one },
    ]);
    expect(redactor.counts).toEqual({ "openai-key": 3 });
  });

  test("a tar without secrets comes out byte for byte", async () => {
    const clean = entries().filter(
      ({ path }) => path === "app" || path === "app/clean.txt" || path === "app/gone",
    );
    const tar = await collect(writeLayer(clean));
    const redacted = redactTar(inChunks(tar, 512), createRedactor());
    expect(await collect(redacted.tar)).toEqual(tar);
    expect(redacted.files).toEqual([]);
  });

  test("an empty tar stays one", async () => {
    const tar = await collect(writeLayer([]));
    expect(await collect(redactTar(inChunks(tar, 512), createRedactor()).tar)).toEqual(tar);
  });

  test("many files with secrets are summed up", async () => {
    const many = Array.from({ length: 250 }, (_, index) => file(`f${index}`, secret));
    const { tar, files } = redactTar(writeLayer(many), createRedactor());
    await collect(tar);
    expect(files).toHaveLength(201);
    expect(files.at(-1)).toEqual({ path: "…", counts: { "openai-key": 50 } });
  });
});
