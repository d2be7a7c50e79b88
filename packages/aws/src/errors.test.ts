import { describe, expect, test } from "vitest";
import { awsError } from "./errors.ts";

const call = { doing: "reading parameter /tracemill/dev/stack", action: "ssm:GetParameter" };
const failure = (parts: object, message = "failed") => Object.assign(new Error(message), parts);

describe("what a failed call says", () => {
  test.each([
    [failure({ code: "ENOTFOUND" }, "getaddrinfo ENOTFOUND ssm.us-esat-1.amazonaws.com"), /AWS_REGION/],
    [new TypeError("Invalid URL"), /AWS_ENDPOINT_URL/],
  ])("%s: where to look", (error, remedy) => {
    expect(awsError(error, call)).toMatchObject({
      code: "storage-failed",
      message: expect.stringMatching(remedy),
    });
  });

  test("an answer that is not AWS's: its status, without the SDK's advice to programmers", () => {
    const error = failure(
      { name: "Unknown", $metadata: { httpStatusCode: 404 } },
      "Unexpected token '<'\n  Deserialization error: inspect the hidden field",
    );
    expect(awsError(error, call).message).toBe(`${call.doing}: HTTP 404: Unexpected token '<'`);
  });

  test("throttling may pass by itself", () => {
    expect(awsError(failure({ name: "ThrottlingException" }), call)).toMatchObject({ retryable: true });
  });

  test("a refusal names the action that is missing", () => {
    const error = awsError(failure({ name: "AccessDeniedException" }), call);
    expect(error).toMatchObject({
      code: "unauthorized",
      message: expect.stringContaining("ssm:GetParameter"),
    });
  });
});
