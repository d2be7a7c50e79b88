import { describe, expect, test } from "vitest";
import { answerTask } from "../../../../test/fakes/trial-world.ts";
import { readHarborTask } from "../harbor/task.ts";
import { parseRunSpec } from "../run/spec.ts";
import { resolveEnv, sandboxSpecOf } from "./environment.ts";

const spec = parseRunSpec({ name: "n", tasks: ["."], agents: [{ name: "oracle" }] }, "s");

function taskWith(toml: string) {
  const files = answerTask.files.map((file) =>
    file.path === "task.toml" ? { ...file, content: Buffer.from(`schema_version = "1.4"\n${toml}`) } : file,
  );
  return { kind: "harbor", harbor: readHarborTask(files, "t") } as const;
}

describe("a task's env", () => {
  test("takes values from the spec, else the task's own default", () => {
    const env = { A: "${X}", B: "${Y:-why}", C: "plain $X" };
    expect(resolveEnv(env, { X: "1" }, "t")).toEqual({ A: "1", B: "why", C: "plain $X" });
  });

  test("never takes them from this machine's own variables", () => {
    expect(() => resolveEnv({ A: "${PATH}" }, {}, "t: [environment.env]")).toThrow(
      "t: [environment.env]: A wants ${PATH}; give it under `env` in the run's spec",
    );
  });
});

describe("a task's sandbox", () => {
  test("has the network only where the task allows it", () => {
    const network = (toml: string, phase: "agent" | "verifier" = "agent") =>
      sandboxSpecOf(taskWith(toml), phase, spec, "t").network;
    expect(network('[environment]\nnetwork_mode = "public"')).toBe("host");
    expect(network('[environment]\nnetwork_mode = "no-network"')).toBe("none");
    expect(network("[environment]\nallow_internet = false")).toBe("none");
    expect(network('[verifier]\nnetwork_mode = "no-network"', "verifier")).toBe("none");
    expect(sandboxSpecOf(taskWith(""), "agent", { ...spec, network: "none" }, "t").network).toBe("none");
  });

  test("has the task's memory and cores, and limits where the task gives none", () => {
    const { limits } = sandboxSpecOf(
      taskWith("[environment]\nmemory_mb = 512\ncpus = 2"),
      "agent",
      spec,
      "t",
    );
    expect(limits).toEqual({ memoryBytes: 512 * 1024 * 1024, cpus: 2, pids: 512 });
    expect(sandboxSpecOf(taskWith(""), "agent", spec, "t").limits.memoryBytes).toBeGreaterThan(0);
  });
});
