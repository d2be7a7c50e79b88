import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { chooseSandbox, dockerAnswers } from "./choose.ts";

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function listen(onPing: (status: (code: number) => void) => void): Promise<string> {
  const path = join(tmpdir(), `tracemill-choose-${process.pid}-${Math.random().toString(36).slice(2)}.sock`);
  server = createServer((_, answer) => onPing((code) => answer.writeHead(code).end("OK")));
  await new Promise<void>((resolve) => server?.listen(path, resolve));
  return `unix://${path}`;
}

test("an engine that answers is the strongest sandbox", async () => {
  expect(await chooseSandbox(await listen((status) => status(200)))).toBe("docker");
});

test.each(["unix:///none/docker.sock", "tcp://127.0.0.1:1", "ssh://somewhere", "nonsense"])(
  "without an engine at %s it is namespaces",
  async (host) => {
    expect(await chooseSandbox(host)).toBe("namespace");
  },
);

test("an engine that hangs, or that is broken, is none", async () => {
  expect(await dockerAnswers(await listen(() => undefined), 50)).toBe(false);
  server?.closeAllConnections();
  server?.close();
  expect(await dockerAnswers(await listen((status) => status(500)))).toBe(false);
});
