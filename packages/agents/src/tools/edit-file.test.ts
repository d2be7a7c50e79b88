import { afterAll, describe, expect, test } from "vitest";
import { execResult, inProcessSandboxes } from "../../../../test/fakes/in-process-sandbox.ts";
import { liveTools, noSandbox, removeHome } from "../../../../test/fakes/live-tools.ts";
import { openTools } from "./registry.ts";

afterAll(removeHome);

const poem = "roses are red\nviolets are blue\nroses are $&\n";

/** Edits a file that holds the poem; gives what the tool said, and what the file holds then. */
async function edited(args: Record<string, unknown>, base: string = poem) {
  const sandbox = await inProcessSandboxes({
    base: { "/app/poem.txt": base },
    exec: () => execResult({ stdout: "755\n" }),
  }).create({
    environment: { files: [], env: {}, buildTimeoutSec: 60 },
    limits: {},
    network: "none",
    label: "t",
  });
  await using resources = new AsyncDisposableStack();
  const call = openTools({ sandbox, signal: new AbortController().signal, resources });
  const { output } = await call({ id: "c", name: "edit_file", arguments: { path: "poem.txt", ...args } });
  return [output, Buffer.from((await sandbox.readFile("/app/poem.txt")) ?? "").toString()];
}

describe("an edit", () => {
  test("replaces a text where it stands, character by character", async () => {
    expect(await edited({ old_string: "violets are blue\n", new_string: "$1 $& \\n\n" })).toEqual([
      "replaced 1 place in poem.txt",
      "roses are red\n$1 $& \\n\nroses are $&\n",
    ]);
  });

  test("replaces it everywhere when asked to", async () => {
    expect(await edited({ old_string: "roses", new_string: "tulips", replace_all: true })).toEqual([
      "replaced 2 places in poem.txt",
      poem.replaceAll("roses", "tulips"),
    ]);
  });

  test("may be told with LF of a file whose lines all end in CRLF, which keeps them", async () => {
    const edit = { old_string: "red\nviolets", new_string: "pink\nand violets" };
    expect(await edited(edit, poem.replaceAll("\n", "\r\n"))).toEqual([
      "replaced 1 place in poem.txt",
      poem.replace("red\nviolets", "pink\nand violets").replaceAll("\n", "\r\n"),
    ]);
    expect((await edited(edit, `mixed\n${poem.replaceAll("\n", "\r\n")}`))[0]).toMatch(/not in the file/);
  });

  test("is known by other agents' names for its arguments", async () => {
    const [said] = await edited({
      path: undefined,
      file_path: "/app/poem.txt",
      old_str: "red",
      new_str: "pink",
    });
    expect(said).toBe("replaced 1 place in /app/poem.txt");
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ["is there more than once", { old_string: "roses", new_string: "x" }, /2 times; give more/],
    ["is not there", { old_string: "lilies", new_string: "x" }, /not in the file/],
    ["is empty", { old_string: "", new_string: "x" }, /old_string is empty/],
    ["stays the same", { old_string: "red", new_string: "red" }, /the same/],
    ["is of no file", { path: "no.txt", old_string: "a", new_string: "b" }, /no\.txt: no such file/],
    ["is not given", { new_string: "b" }, /edit_file wants/],
  ])("changes nothing where the text %s", async (_, args, said) => {
    const [output, content] = await edited(args);
    expect(output).toMatch(said);
    expect(output).toMatch(/^error: /);
    expect(content).toBe(poem);
  });
});

const title = noSandbox === undefined ? "in a sandbox" : `in a sandbox (skipped: ${noSandbox})`;

describe.skipIf(noSandbox !== undefined)(title, () => {
  test("an edited script can still be run, and bytes that are no text are left alone", async () => {
    await using tools = await liveTools();
    await tools.call("bash", { command: "printf '#!/bin/sh\\necho one\\n' > run.sh; chmod 755 run.sh" });
    await tools.call("edit_file", { path: "run.sh", old_string: "one", new_string: "two" });
    expect(await tools.call("bash", { command: "./run.sh; printf '\\377x' > raw" })).toBe("two\n");
    expect(await tools.call("edit_file", { path: "raw", old_string: "x", new_string: "y" })).toContain(
      "not a text file",
    );
  });

  test("a command may ask for its own time, within the attempt's", async () => {
    await using tools = await liveTools({ timeoutMs: 60_000 });
    expect(await tools.call("bash", { command: "sleep 30", timeout: 0.3 })).toContain(
      "[timed out after 0.3 s]",
    );
    await using short = await liveTools({ timeoutMs: 300 });
    expect(await short.call("bash", { command: "sleep 30", timeout: 20 })).toContain(
      "[timed out after 0.3 s]",
    );
  });
});
