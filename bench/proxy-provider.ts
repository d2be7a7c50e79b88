/**
 * A provider of models, as a process of its own: by TLS for 127.0.0.1, streaming Chat Completions. What it says is made
 * of the request, so that an answer that belongs to another request is seen to.
 *
 *   node bench/proxy-provider.ts '{"key": PEM, "cert": PEM}'
 */
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import { answerEvents } from "./proxy-load.ts";

const { key, cert } = JSON.parse(process.argv[2] ?? "") as { key: string; cert: string };

const server = createServer({ key, cert }, async (request, response) => {
  const asked = JSON.parse((await buffer(request)).toString("utf8"));
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of answerEvents(asked.user)) response.write(event);
  response.end();
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port));
process.on("disconnect", () => process.exit());
