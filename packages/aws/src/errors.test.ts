import { TracemillError } from "@tracemill/core/errors.ts";
import { expect, test } from "vitest";
import { awsError, isPassing } from "./errors.ts";

const call = { doing: "table trials", action: "dynamodb:GetItem" };

function thrown(name: string, more: Record<string, unknown> = {}): Error {
  return Object.assign(new Error(`what AWS says about ${name}`), { name, ...more });
}

test.each([
  ["SlowDown", { $metadata: { httpStatusCode: 503 } }],
  ["ProvisionedThroughputExceededException", { $metadata: { httpStatusCode: 400 } }],
  ["ThrottlingException", {}],
  ["ConditionalRequestConflict", { $metadata: { httpStatusCode: 409 } }],
  ["InternalError", { $metadata: { httpStatusCode: 500 } }],
  ["Error", { code: "ECONNRESET" }],
  ["TimeoutError", {}],
])("%s may pass by itself", (name, more) => {
  expect(awsError(thrown(name, more), call)).toMatchObject({ code: "storage-failed", retryable: true });
});

test.each(["ValidationException", "InvalidArgument", "KMS.DisabledException"])("%s does not", (name) => {
  const error = awsError(thrown(name, { $metadata: { httpStatusCode: 400 } }), call);
  expect(error).toMatchObject({ code: "storage-failed", retryable: false });
  expect(error.message).toContain(name);
});

test("a refusal names the action to allow", () => {
  const error = awsError(thrown("AccessDeniedException", { $metadata: { httpStatusCode: 400 } }), call);
  expect(error).toMatchObject({ code: "unauthorized", retryable: false });
  expect(error.message).toContain("allow dynamodb:GetItem");
  const headless = awsError(thrown("403", { $metadata: { httpStatusCode: 403 } }), call);
  expect(headless.code).toBe("unauthorized");
});

test.each(["CredentialsProviderError", "ExpiredToken", "InvalidAccessKeyId", "SignatureDoesNotMatch"])(
  "%s says how to sign in",
  (name) => {
    const error = awsError(thrown(name, { $metadata: { httpStatusCode: 403 } }), call);
    expect(error).toMatchObject({ code: "unauthorized" });
    expect(error.message).toContain("aws sso login");
  },
);

test("a missing region says which variable to set", () => {
  const error = awsError(new Error("Region is missing"), call);
  expect(error).toMatchObject({ code: "invalid-input", message: expect.stringContaining("AWS_REGION") });
});

test("an error of our own stays what it is", () => {
  const own = new TracemillError("storage-corrupt", "row x is damaged");
  expect(awsError(own, call)).toBe(own);
  expect(isPassing(new TracemillError("storage-failed", "later", { retryable: true }))).toBe(true);
  expect(isPassing("no error at all")).toBe(false);
});

test.each([
  [
    Object.assign(new Error("getaddrinfo ENOTFOUND ssm.us-esat-1.amazonaws.com"), { code: "ENOTFOUND" }),
    "AWS_REGION",
  ],
  [new TypeError("Invalid URL"), "AWS_ENDPOINT_URL"],
])("%s says where to look", (error, variable) => {
  expect(awsError(error, call)).toMatchObject({
    code: "storage-failed",
    message: expect.stringContaining(variable),
  });
});

test("an answer that is not AWS's gives its status, without the SDK's advice to programmers", () => {
  const error = Object.assign(new Error("Unexpected token '<'\n  inspect the hidden field"), {
    name: "Unknown",
    $metadata: { httpStatusCode: 404 },
  });
  expect(awsError(error, call).message).toBe("table trials: HTTP 404: Unexpected token '<'");
});
