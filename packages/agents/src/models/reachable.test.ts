import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import type { AgentRef } from "@tracemill/core/run/trial.ts";
import { expect, test } from "vitest";
import { tempDir } from "../../../../test/fakes/temp-dir.ts";
import { providerError } from "../../../../test/servers/model-provider/errors.ts";
import { modelProvider } from "../../../../test/servers/model-provider.ts";
import { requireReachable } from "./reachable.ts";

const look = (agents: AgentRef[], providers = {}) => requireReachable({ agents }, { providers });

test.each(["http://127.0.0.1:9/v1", "http://127.0.0.1:9/v1#m", "mine/m"])(
  "the server of %s, which is not there, is told before a run begins",
  async (model) => {
    const providers = { mine: { url: "http://127.0.0.1:9/v1", key: "MINE_KEY" } };
    await expect(look([{ name: "tools", model }], providers)).rejects.toMatchObject({
      code: "model-failed",
      message: expect.stringMatching(
        /^agent tools: the server of its model, http:\/\/127.0.0.1:9\/v1, does not answer: .*ECONNREFUSED.*`tracemill model check .* --wait 10m`/,
      ),
    });
  },
);

test("a server that wants a key, or has no such path, answers: that is for its client to judge; it is asked once", async () => {
  await using server = await modelProvider({ script: () => providerError({ status: 401, message: "no" }) });
  const agents = ["a", "b"].map((name) => ({ name, model: `${server.origin}/nothing#${name}` }));
  await look(agents);
  expect(server.others).toEqual(["GET /nothing/models"]);
  expect(server.asked).toEqual([]);
});

test("an address without /v1, and a server of several models, are told before a run begins", async () => {
  const listing = JSON.stringify({ data: [{ id: "one" }, { id: "two" }] });
  const server = createServer((request, response) => {
    if (request.url === "/v1/models") response.end(listing);
    else response.writeHead(404).end("{}");
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  await expect(look([{ name: "a", model: origin }])).rejects.toThrow(`its address may be ${origin}/v1, or`);
  await expect(look([{ name: "a", model: `${origin}/v1` }])).rejects.toThrow(
    `say which: ${origin}/v1#one, ${origin}/v1#two`,
  );
  await look([{ name: "a", model: `${origin}#one` }]);
  await expect(look([{ name: "a", model: `${origin.replace("http", "https")}/v1` }])).rejects.toThrow(
    "its address may begin with http://",
  );
  await new Promise((resolve) => void server.close(resolve));
});

test("a server that breaks the connection is not there", async () => {
  const server = createServer((request) => void request.socket.destroy());
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await expect(look([{ name: "a", model: `http://127.0.0.1:${port}/v1` }])).rejects.toThrow("ECONNRESET");
  await new Promise((resolve) => void server.close(resolve));
});

test("a recording has to be there; what Tracemill plays itself, and Bedrock are not asked", async () => {
  await using dir = await tempDir();
  const file = join(dir.path, "recorded.json");
  await writeFile(file, "{}");
  await look([
    { name: "a", model: `replay/${file}` },
    { name: "b", model: "replay/reference" },
    { name: "c", model: "noop/x" },
    { name: "d", model: "bedrock/x" },
    { name: "e" },
  ]);
  const own = { name: "e", model: "a name in the records", options: { baseUrl: "http://127.0.0.1:9/v1" } };
  await expect(look([own])).rejects.toThrow("ECONNREFUSED");
  await expect(look([{ name: "a", model: `replay/${file}.gone` }])).rejects.toMatchObject({
    code: "invalid-spec",
    message: expect.stringContaining("recorded.json.gone cannot be read"),
  });
});
