import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { fakeClock } from "../../../../../test/fakes/clock.ts";
import { readConfig } from "../../config.ts";
import {
  baseUrlVariables,
  clientOf,
  exportLines,
  proxyVariables,
  sessionName,
  unsetLines,
  usualShell,
} from "./client-env.ts";

const place = { secret: Buffer.alloc(32, 1), port: 4_000, bundle: "/home/o'neil/proxy/ca bundle.pem" };
const client = clientOf("run-1", place, readConfig({ NO_PROXY: "internal.example,localhost" }));

test("every kind of client is told: HTTP libraries, curl, git, the AWS CLI, Node, Codex", () => {
  const variables = proxyVariables(client);
  const proxy = `http://run-1:${client.token}@127.0.0.1:4000`;
  expect(variables).toMatchObject({ HTTPS_PROXY: proxy, https_proxy: proxy, NODE_USE_ENV_PROXY: "1" });
  expect(variables.NO_PROXY).toBe("internal.example,localhost,127.0.0.1,::1");
  for (const name of ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "CODEX_CA_CERTIFICATE"]) {
    expect(variables[name]).toBe(place.bundle);
  }
});

test("addresses of providers carry the session", () => {
  expect(baseUrlVariables(client)).toMatchObject({
    OPENAI_BASE_URL: `http://127.0.0.1:4000/s/run-1:${client.token}/openai/v1`,
    ANTHROPIC_BASE_URL: `http://127.0.0.1:4000/s/run-1:${client.token}/anthropic`,
  });
});

test("a shell reads every value as it was meant, whatever stands in it", () => {
  const value = fc.string({ unit: "binary" }).filter((text) => text.isWellFormed() && !/[\0\n]/.test(text));
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 20 }), (values) => {
      const variables = Object.fromEntries(values.map((each, index) => [`V${index}`, each]));
      const print = values.map((_, index) => `printf '%s\\0' "$V${index}"`);
      const script = [...exportLines(variables, "sh"), ...print].join("\n");
      const read = execFileSync("sh", { input: script, encoding: "utf8" }).split("\0").slice(0, -1);
      expect(read).toEqual(values);
    }),
    { numRuns: 20 },
  );
});

test("fish and PowerShell have their own words and quotes", () => {
  const variables = { A: "it's \\ 1" };
  expect(exportLines(variables, "fish")).toEqual(["set -gx A 'it\\'s \\\\ 1';"]);
  expect(exportLines(variables, "powershell")).toEqual(["$env:A = 'it''s \\ 1'"]);
  expect(unsetLines(["A"], "fish")).toEqual(["set -e A;"]);
  expect(unsetLines(["A"], "bash")).toEqual(["unset A"]);
  expect(unsetLines(["A"], "powershell")).toEqual(["Remove-Item Env:A -ErrorAction SilentlyContinue"]);
});

test("a value of two lines is no value of a variable here", () => {
  expect(() => exportLines({ NO_PROXY: "a\nrm -rf x" }, "sh")).toThrow("NO_PROXY");
});

test.each([
  ["/usr/bin/fish", "fish"],
  ["/bin/zsh", "zsh"],
  ["C:\\Program Files\\PowerShell\\7\\pwsh.exe", "powershell"],
  ["/bin/dash", "sh"],
  [undefined, "sh"],
])("the shell %s takes the lines of %s", (path, shell) => {
  expect(usualShell(path)).toBe(shell);
});

test("a session is the one named, else RUN_ID, else a new one; a bad name says whose it is", () => {
  const context = (env: Record<string, string>) => ({ config: readConfig(env), clock: fakeClock() });
  expect(sessionName("mine", context({ RUN_ID: "run-1" }))).toBe("mine");
  expect(sessionName(undefined, context({ RUN_ID: "run-1" }))).toBe("run-1");
  expect(sessionName(undefined, context({}))).toMatch(/^cap_[0-9A-Z]{26}$/);
  expect(() => sessionName(undefined, context({ RUN_ID: "a/b" }))).toThrow("RUN_ID a/b");
  expect(() => sessionName("a b", context({}))).toThrow("--session a b");
});

test("a proxy that the machine has is not asked for the address that holds the token", () => {
  const variables = baseUrlVariables({
    session: "s",
    token: "t",
    port: 1,
    bundle: "",
    noProxy: "intern.example",
  });
  expect(variables).toMatchObject({
    NO_PROXY: "intern.example,localhost,127.0.0.1,::1",
    no_proxy: "intern.example,localhost,127.0.0.1,::1",
  });
});
