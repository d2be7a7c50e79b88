import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  byCodePoint,
  contentHash,
  datasetHash,
  hashFiles,
  packagedFiles,
  type TaskFile,
} from "./task-files.ts";

const fixtures = new URL("../../../../test/fixtures/harbor/", import.meta.url);

function golden(name: string): Buffer {
  return readFileSync(new URL(name, fixtures));
}

function files(contents: Record<string, string>): TaskFile[] {
  return Object.entries(contents).map(([path, content]) => ({
    path,
    content: Buffer.from(content),
    mode: 0o644,
  }));
}

function names(contents: Record<string, string>): string[] {
  return packagedFiles(files(contents)).map(({ path }) => path);
}

const hello = [
  "metadata.json",
  "tests/__pycache__/x.pyc",
  "tests/test.sh",
  "task.toml",
  "environment/Dockerfile",
  "solution/solve.sh",
  "instruction.md",
].map((path) => ({ path, content: golden(`task_hello/${path}`), mode: 0o644 }));

describe("packagedFiles", () => {
  const recorded = JSON.parse(golden("task_content_hash.json").toString());

  test("chooses and sorts files as Harbor does", () => {
    expect(packagedFiles(hello).map(({ path }) => path)).toEqual(recorded.files);
  });

  test("follows the task's own .gitignore instead of the default list", () => {
    const own = { ".gitignore": "*.log\n!keep.log\n# *.sh\n", "tests/a.log": "", "tests/keep.log": "" };
    expect(names({ ...own, "tests/x.pyc": "", "tests/test.sh": "" })).toEqual([
      "tests/keep.log",
      "tests/test.sh",
      "tests/x.pyc",
    ]);
  });

  test("brings a file back from an ignored folder, as Harbor's matcher does", () => {
    expect(
      names({
        ".gitignore": "tests/data/\n!tests/data/kept.txt",
        "tests/data/kept.txt": "",
        "tests/data/b": "",
      }),
    ).toEqual(["tests/data/kept.txt"]);
  });

  test("takes folder/* as the entries of the folder alone, as Harbor's matcher does", () => {
    expect(names({ ".gitignore": "tests/*", "tests/a": "", "tests/data/b": "" })).toEqual(["tests/data/b"]);
  });

  test("tells upper from lower case in ignore rules", () => {
    expect(names({ ".gitignore": "*.TXT", "tests/a.txt": "", "tests/b.TXT": "" })).toEqual(["tests/a.txt"]);
  });
});

describe("contentHash", () => {
  test("is Harbor's, to the digit", () => {
    const { content_hash } = JSON.parse(golden("task_content_hash.json").toString());
    expect(contentHash(hello)).toBe(content_hash);
  });

  test("does not depend on the order of the files, their modes, or what is not packaged", () => {
    fc.assert(
      fc.property(
        fc.shuffledSubarray(hello, { minLength: hello.length }),
        fc.nat(0o777),
        (shuffled, mode) => {
          const touched = shuffled
            .filter(({ path }) => path !== "metadata.json")
            .map((file) => ({ ...file, mode }));
          expect(contentHash(touched)).toBe(contentHash(hello));
        },
      ),
    );
  });

  test("changes with any byte of any packaged file", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...packagedFiles(hello)),
        fc.uint8Array({ minLength: 1 }),
        (file, added) => {
          const changed = { ...file, content: Buffer.concat([file.content, added]) };
          expect(contentHash(hello.map((other) => (other === file ? changed : other)))).not.toBe(
            contentHash(hello),
          );
        },
      ),
    );
  });
});

test("byCodePoint sorts as Python does where UTF-16 order differs", () => {
  expect(["\u{1F389}", "\uFF5E", "a"].toSorted(byCodePoint)).toEqual(["a", "\uFF5E", "\u{1F389}"]);
});

test("hashFiles takes the files as they are", () => {
  expect(hashFiles(files({ "b.bin": "2", a: "1" }))).toBe(hashFiles(files({ a: "1", "b.bin": "2" })));
});

describe("datasetHash", () => {
  const digests = [
    "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
    "sha256:739ed9e3c2e318476bc97fc06f4ef38e61614a64faed63b5c86cbb8df675fdbe",
  ];

  test("is Harbor's, whatever the order of the tasks", () => {
    const { content_hash } = JSON.parse(golden("dataset_hash.json").toString());
    expect(datasetHash({ tasks: digests })).toBe(content_hash);
    expect(datasetHash({ tasks: digests.toReversed() })).toBe(content_hash);
  });

  test("counts the files beside the tasks", () => {
    const filed = datasetHash({ tasks: digests, files: [{ path: "metric.py", digest: "sha256:00" }] });
    expect(filed).not.toBe(datasetHash({ tasks: digests }));
    expect(filed).toBe(datasetHash({ tasks: digests, files: [{ path: "metric.py", digest: "00" }] }));
  });
});
