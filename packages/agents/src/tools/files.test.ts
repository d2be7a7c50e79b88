import { afterAll, describe, expect, test } from "vitest";
import { liveTools, noSandbox, removeHome } from "../../../../test/fakes/live-tools.ts";

afterAll(removeHome);

describe.skipIf(noSandbox !== undefined)(
  `files (skipped without a sandbox: ${noSandbox ?? "there is one"})`,
  () => {
    test("what is written is read again, at a path from the working directory", async () => {
      await using tools = await liveTools();
      expect(await tools.call("write_file", { path: "a/b.txt", content: "grün" })).toBe(
        "wrote 5 bytes to a/b.txt",
      );
      expect(await tools.call("read_file", { path: "/app/a/b.txt" })).toBe("grün");
    });

    test("links are written through, and a file keeps its permissions", async () => {
      await using tools = await liveTools();
      const look = "cat real.sh; stat -c %a real.sh; readlink link dangling; cat new";
      await tools.call("bash", { command: "echo one > real.sh; ln -s real.sh link; ln -s new dangling" });
      await tools.call("bash", { command: "chmod 750 real.sh" });
      await tools.call("edit_file", { path: "link", old_string: "one", new_string: "two" });
      await tools.call("write_file", { path: "dangling", content: "new\n" });
      expect(await tools.call("bash", { command: look })).toBe("two\n750\nreal.sh\nnew\nnew\n");
      await tools.call("write_file", { path: "link", content: "three\n" });
      expect(await tools.call("bash", { command: look })).toBe("three\n750\nreal.sh\nnew\nnew\n");
    });

    test("a path that cannot be is the model's to mend, and no failure of the sandbox", async () => {
      await using tools = await liveTools();
      const answers = [
        await tools.call("write_file", { path: "/app", content: "x" }),
        await tools.call("write_file", { path: "/etc/passwd/x", content: "x" }),
        await tools.call("write_file", { path: "a\0b", content: "x" }),
        await tools.call("write_file", { path: "/proc/version", content: "x" }),
        await tools.call("read_file", { path: "/app" }),
      ];
      expect(answers).toEqual(Array(5).fill(expect.stringMatching(/^error: /)));
    });
  },
);
