import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesAsText, textAsBytes } from "./bedrock-bytes.ts";

test("sealed reasoning is bytes for the SDK and base64 in what is stored, whatever it holds", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.string(), (bytes, text) => {
      const sdk = {
        messages: [{ content: [{ text }, { reasoningContent: { redactedContent: Buffer.from(bytes) } }] }],
      };
      const stored = bytesAsText(sdk);
      expect(JSON.parse(JSON.stringify(stored))).toEqual(stored);
      expect(textAsBytes(stored)).toEqual(sdk);
    }),
  );
});
