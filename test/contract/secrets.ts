import type { SecretStore } from "@tracemill/core/ports/secrets.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

export interface OpenedSecrets {
  store: SecretStore;
  /** Sets a secret as the user of that home would. */
  set(name: string, value: string): Promise<void>;
  close(): Promise<void>;
}

/** What every secret store promises. `open` gives an empty one each time. */
export function secretStoreContract(name: string, open: () => Promise<OpenedSecrets>): void {
  describe(`${name}: secret store`, () => {
    let opened: OpenedSecrets;
    beforeEach(async () => {
      opened = await open();
    });
    afterEach(() => opened.close());

    test("a secret that was set comes back as it was", async () => {
      const value = `tok-"ü"\n${"x".repeat(5_000)} `;
      await opened.set("PROD_API_TOKEN", value);
      expect(await opened.store.get("PROD_API_TOKEN")).toBe(value);
      expect(await opened.store.get("PROD_API_TOKEN")).toBe(value);
    });

    test("a secret that nobody set is undefined, and is there once it is set", async () => {
      expect(await opened.store.get("OPENAI_API_KEY")).toBeUndefined();
      await opened.set("OPENAI_API_KEY", "set since");
      expect(await opened.store.get("OPENAI_API_KEY")).toBe("set since");
    });

    test("what the deployment puts into a secret before anybody sets it is no value", async () => {
      await opened.set("PROD_API_TOKEN", "unset");
      expect(await opened.store.get("PROD_API_TOKEN")).toBeUndefined();
    });

    test.each(["", "../other", "a b", "x/y", "nul\0", `long${"g".repeat(200)}`])(
      "the name %j is refused",
      async (bad) => {
        await expect(opened.store.get(bad)).rejects.toMatchObject({
          code: "invalid-input",
          message: expect.stringContaining("secret name"),
        });
      },
    );
  });
}
