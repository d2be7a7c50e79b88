import { ProtocolClient } from "@tracemill/agents/models/protocol-client.ts";
import { bedrockModel, bedrockRuntimeClient } from "@tracemill/aws/models/bedrock.ts";
import { cachedClient } from "@tracemill/core/models/answer-cache.ts";
import type { ModelProtocol } from "@tracemill/core/protocols/protocol.ts";
import { memoryObjectStore } from "../fakes/memory-stores.ts";
import { plainRedactor } from "../servers/capture-world.ts";
import { contractKey, modelClientContract, type OpenClient } from "./model-client.ts";

function protocolClient(protocol: ModelProtocol): (...given: Parameters<OpenClient>) => ProtocolClient {
  return (server, settings, deps) =>
    new ProtocolClient(
      { ...settings, protocol, baseUrl: server.baseUrl(protocol), model: "test-model", key: contractKey },
      deps,
    );
}

for (const protocol of ["chat-completions", "responses", "messages", "converse"] as const) {
  modelClientContract(protocol, protocol, protocolClient(protocol));
}

modelClientContract("Bedrock by the AWS SDK", "converse", (server, { idleMs, ...settings }, deps) => {
  const credentials = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "secret" };
  const client = bedrockRuntimeClient({ region: "us-east-1", endpoint: server.origin, credentials });
  const hosted = { model: "test-model", label: "bedrock/test-model", settings, idleMs };
  return bedrockModel(hosted, deps, client);
});

modelClientContract("with a cache", "chat-completions", (server, settings, deps) => {
  const client = protocolClient("chat-completions")(server, settings, deps);
  const address = {
    protocol: "chat-completions" as const,
    provider: "t",
    place: server.origin,
    model: "test-model",
  };
  return cachedClient(client, address, { objects: memoryObjectStore(), redactor: plainRedactor() });
});
