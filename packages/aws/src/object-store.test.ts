import { collect } from "@tracemill/core/streams.ts";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Fault, type FaultProxy, startFaultProxy } from "../../../test/emulators/fault-proxy.ts";
import { emulated } from "../../../test/emulators/resources.ts";
import { gather } from "../../../test/fakes/gather.ts";
import { s3Client } from "./clients/s3.ts";
import { s3ObjectStore } from "./object-store.ts";

let proxy: FaultProxy;
beforeEach(async () => {
  proxy = await startFaultProxy();
});
afterEach(() => proxy.close());

function store() {
  const client = s3Client({ ...emulated(proxy.endpoint), maxAttempts: 1 });
  return s3ObjectStore({ client, bucket: "tracemill-prod", patience: { patienceMs: 0 } });
}

function answer(status: number, code: string, more: Partial<Extract<Fault, object>> = {}): Fault {
  const headers = { "content-type": "application/xml", ...more.headers };
  return {
    status,
    headers,
    body: `<Error><Code>${code}</Code><Message>m</Message>${more.body ?? ""}</Error>`,
  };
}

test("a bucket that is not there is named, with what to do, also where S3 answers without a body", async () => {
  proxy.rule(({ method }) => (method === "HEAD" ? { status: 404 } : answer(404, "NoSuchBucket")));
  const missing = {
    code: "not-found",
    message: expect.stringMatching(/bucket tracemill-prod does not exist.*deploy/),
  };
  await expect(store().put("key", Buffer.from("x"))).rejects.toMatchObject(missing);
  await expect(store().get("key")).rejects.toMatchObject(missing);
  await expect(store().head("key")).rejects.toMatchObject(missing);
  await expect(gather(store().list(""))).rejects.toMatchObject(missing);
});

test.each([
  [
    "in the answer's header",
    answer(301, "PermanentRedirect", { headers: { "x-amz-bucket-region": "eu-west-1" } }),
  ],
  [
    "in the answer's body",
    answer(400, "AuthorizationHeaderMalformed", { body: "<Region>eu-west-1</Region>" }),
  ],
  ["where there is no body", { status: 301, headers: { "x-amz-bucket-region": "eu-west-1" } }],
])("a bucket in another region is named with it, as S3 tells it %s", async (_, fault) => {
  proxy.rule(() => fault);
  await expect(store().get("key")).rejects.toMatchObject({
    code: "invalid-input",
    message: expect.stringMatching(/tracemill-prod is in eu-west-1, not in us-east-1.*AWS_REGION=eu-west-1/),
  });
});

test("a permission that is missing is named by its action", async () => {
  proxy.rule(({ method }) => (method === "HEAD" ? { status: 403 } : answer(403, "AccessDenied")));
  const allow = (action: string) => ({
    code: "unauthorized",
    message: expect.stringContaining(`allow ${action} `),
  });
  await expect(store().put("key", Buffer.from("x"))).rejects.toMatchObject(allow("s3:PutObject"));
  await expect(store().get("key")).rejects.toMatchObject(allow("s3:GetObject"));
  await expect(store().head("key")).rejects.toMatchObject(allow("s3:GetObject"));
  await expect(gather(store().list("runs/"))).rejects.toMatchObject(allow("s3:ListBucket"));
  await expect(store().delete("key")).rejects.toMatchObject(allow("s3:DeleteObject"));
});

test("bytes that do not fit the object's checksum are not handed on as if they did", async () => {
  proxy.rule(() => ({ status: 200, headers: { "x-amz-checksum-crc32": "AAAAAA==" }, body: "damaged" }));
  const body = await store().get("key");
  await expect(collect(body as AsyncIterable<Uint8Array>)).rejects.toMatchObject({
    code: "storage-corrupt",
    message: expect.stringContaining("tracemill-prod/key"),
  });
});

test("folders, as the console makes them, are no objects", async () => {
  const body = `<ListBucketResult><IsTruncated>false</IsTruncated>
    <Contents><Key>runs/</Key><Size>0</Size></Contents>
    <Contents><Key>runs/a%2Bb+c</Key><Size>3</Size></Contents></ListBucketResult>`;
  proxy.rule(() => ({ status: 200, headers: { "content-type": "application/xml" }, body }));
  expect(await gather(store().list(""))).toEqual([{ key: "runs/a+b c", size: 3 }]);
});

test("a list goes on through all its pages", async () => {
  const page = (key: string, next: string): string =>
    `<ListBucketResult><IsTruncated>${next !== ""}</IsTruncated>${next && `<NextContinuationToken>${next}</NextContinuationToken>`}
    <Contents><Key>${key}</Key><Size>1</Size></Contents></ListBucketResult>`;
  proxy.rule(({ url }) => ({
    status: 200,
    headers: { "content-type": "application/xml" },
    body: url.includes("continuation-token=two") ? page("b", "") : page("a", "two"),
  }));
  expect((await gather(store().list(""))).map(({ key }) => key)).toEqual(["a", "b"]);
});
