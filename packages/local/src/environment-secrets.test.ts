import { secretStoreContract } from "../../../test/contract/secrets.ts";
import { environmentSecrets } from "./environment-secrets.ts";

secretStoreContract("environment", async () => {
  const variables = new Map<string, string>();
  return {
    store: environmentSecrets((name) => variables.get(name)),
    set: async (name, value) => void variables.set(name, value),
    close: async () => {},
  };
});
