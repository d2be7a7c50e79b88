import { expect, test } from "vitest";
import { answerTask } from "../../../../test/fakes/trial-world.ts";
import { readHarborTask } from "../harbor/task.ts";
import { harborTaskRef } from "./task-ref.ts";

function needs(toml: string, extra: Record<string, string> = {}) {
  const files = answerTask.files
    .filter(({ path }) => path !== "task.toml")
    .concat(
      Object.entries({ "task.toml": `schema_version = "1.4"\n${toml}`, ...extra }).map(([path, text]) => ({
        path,
        content: Buffer.from(text),
        mode: 0o644,
      })),
    );
  const task = readHarborTask(files, "t");
  return harborTaskRef(task, { hash: task.hash, origin: { kind: "folder", path: "t" }, references: [] })
    .needs;
}

test.each([
  ["", []],
  ['[environment]\ndocker_image = "x:1"', ["image"]],
  ["[environment]\ngpus = 1", ["gpu"]],
  ['[environment]\nnetwork_mode = "allowlist"\nallowed_hosts = ["a.example"]', ["network-allowlist"]],
  ['[agent]\nuser = "agent"', ["user"]],
  ['[agent]\nuser = "root"', []],
  ['[[environment.mcp_servers]]\nname = "m"\nurl = "http://localhost/"', ["mcp-server"]],
  ['[verifier.environment]\ndocker_image = "x:1"', ["image", "verifier-environment"]],
  ['[environment]\nnetwork_mode = "no-network"', ["no-network"]],
  ['[agent]\nnetwork_mode = "no-network"', ["no-network"]],
])("a task with %j needs %j", (toml, expected) => {
  expect(needs(toml)).toEqual(expected);
});

test("a Dockerfile stands in for a prebuilt image, and compose asks for containers", () => {
  const image = '[environment]\ndocker_image = "x:1"';
  expect(needs(image, { "environment/Dockerfile": "FROM x:1\n" })).toEqual([]);
  expect(needs("", { "environment/docker-compose.yaml": "services: {}\n" })).toEqual(["compose"]);
});
