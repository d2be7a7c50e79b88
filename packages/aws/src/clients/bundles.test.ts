import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const source = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string[] =>
  readdirSync(source + path).filter((file) => file.endsWith(".ts") && !file.endsWith(".test.ts"));

async function bytesOf(entries: readonly string[]): Promise<number> {
  const contents = entries.map((entry) => `export * from "./${entry}";`).join("\n");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: source, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    platform: "node",
    target: "node24",
    write: false,
  });
  return outputFiles[0]?.contents.byteLength ?? 0;
}

const clients = read("clients").filter((file) => !["options.ts", "pace.ts"].includes(file));

test("there is a client for each service", () => {
  expect(clients.length).toBeGreaterThanOrEqual(11);
});

test.each(clients)("a function that uses only clients/%s stays far below 1 MB", async (file) => {
  expect(await bytesOf([`clients/${file}`])).toBeLessThan(700_000);
});

test("a function with both stores stays below 1 MB", async () => {
  const entries = ["clients/s3.ts", "clients/dynamodb.ts", "object-store.ts", "record-store.ts"];
  expect(await bytesOf(entries)).toBeLessThan(900_000);
});
