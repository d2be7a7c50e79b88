import { afterEach, beforeEach, expect, test } from "vitest";
import { type Fault, type FaultProxy, startFaultProxy } from "../../../test/emulators/fault-proxy.ts";
import { emulated } from "../../../test/emulators/resources.ts";
import { secretsManagerClient } from "./clients/secrets-manager.ts";
import { secretsManagerStore } from "./secrets.ts";

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy();
});
afterEach(() => proxy.close());

function answer(status: number, body: unknown): Fault {
  return { status, headers: { "content-type": "application/x-amz-json-1.1" }, body: JSON.stringify(body) };
}

function store(now: () => number = Date.now) {
  const client = secretsManagerClient({ ...emulated(proxy.endpoint), maxAttempts: 1 });
  return secretsManagerStore({ client, prefix: "tracemill/prod/", patience: { patienceMs: 0 }, now });
}

test("a value is asked for once in five minutes, however many want it at once", async () => {
  let now = 0;
  let value = "first";
  proxy.rule(() => answer(200, { SecretString: value }));
  const secrets = store(() => now);
  expect(await Promise.all(["A", "A", "A"].map((name) => secrets.get(name)))).toEqual(Array(3).fill("first"));
  value = "second";
  now = 299_999;
  expect(await secrets.get("A")).toBe("first");
  expect(proxy.seen).toHaveLength(1);
  now = 300_000;
  expect(await secrets.get("A")).toBe("second");
});

test("a secret that is not set, and one that could not be read, are asked for anew", async () => {
  const secrets = store();
  proxy.rule(() => answer(200, { SecretString: "unset" }));
  expect(await secrets.get("A")).toBeUndefined();
  proxy.rule(() => answer(500, { __type: "InternalServiceError" }));
  await expect(secrets.get("A")).rejects.toMatchObject({ code: "storage-failed", retryable: true });
  proxy.rule(() => answer(200, { SecretString: "set" }));
  expect(await secrets.get("A")).toBe("set");
});

test.each([
  ["AccessDeniedException", "secretsmanager:GetSecretValue on tracemill/prod/PROD_API_TOKEN"],
  ["DecryptionFailure", "kms:Decrypt"],
])("%s says what to allow, and on which secret", async (type, allow) => {
  proxy.rule(() => answer(400, { __type: type, message: "refused" }));
  await expect(store().get("PROD_API_TOKEN")).rejects.toMatchObject({
    code: "unauthorized",
    message: expect.stringMatching(new RegExp(`PROD_API_TOKEN.*${allow}|${allow}`)),
  });
});

test("a secret without text says how to set one", async () => {
  proxy.rule(() => answer(200, { SecretBinary: "AAAA" }));
  await expect(store().get("A")).rejects.toMatchObject({
    code: "invalid-input",
    message: expect.stringContaining("put-secret-value --secret-id tracemill/prod/A"),
  });
});
