import { expect, test } from "vitest";
import { readComposeFile } from "./compose-file.ts";

test("anchors and merge keys are resolved, and what we do not know is kept", () => {
  const file = readComposeFile(`
x-base: &base { image: "org/img:1", init: true }
services:
  main: { <<: *base, depends_on: [db] }
  db: { image: db }
`);
  expect(file.services).toEqual({
    main: { image: "org/img:1", init: true, depends_on: ["db"] },
    db: { image: "db" },
  });
});

test.each([
  ["include: [other.yaml]", "unsupported", "include"],
  ["services: { main: { extends: { file: /etc/x.yaml, service: a } } }", "unsupported", "main.extends.file"],
  ["services: { db: { env_file: /root/.aws/credentials } }", "unsupported", "services.db.env_file"],
  ["services: { db: { env_file: [a.env, ../../x] } }", "unsupported", "services.db.env_file"],
  [
    "services: { db: { env_file: [{ path: '${X}', required: false }] } }",
    "unsupported",
    "services.db.env_file",
  ],
  ["services: { db: { env_file: ~/.netrc } }", "unsupported", "services.db.env_file"],
  ["services: { db: { label_file: /etc/passwd } }", "unsupported", "services.db.label_file"],
  ["x: &x { env_file: /etc/passwd }\nservices: { db: { <<: *x } }", "unsupported", "services.db.env_file"],
  ["services: { main: !reset {} }", "invalid-task", "tag"],
  ["services: { main: {}, main: {} }", "invalid-task", "unique"],
  ["services: {}\n---\nservices: {}", "invalid-task", "multiple documents"],
  ["services: [main]", "invalid-task", "services"],
  ["services: {", "invalid-task", "docker-compose.yaml"],
  ["just words", "invalid-task", "docker-compose.yaml"],
])("%s is refused as %s", (text, code, words) => {
  expect(() => readComposeFile(text)).toThrow(
    expect.objectContaining({ code, message: expect.stringContaining(words) }),
  );
});

test("files of the task's own folder may be named, and an empty file has no services", () => {
  expect(readComposeFile("").services).toEqual({});
  const text = "services: { db: { env_file: [a.env, { path: ./conf/b.env }], extends: { service: main } } }";
  expect(Object.keys(readComposeFile(text).services)).toEqual(["db"]);
});

test("aliases that would fill the memory are refused", () => {
  const levels = Array.from({ length: 12 }, (_, level) =>
    level === 0
      ? "a0: &a0 [x, x]"
      : `a${level}: &a${level} [${Array(10)
          .fill(`*a${level - 1}`)
          .join(", ")}]`,
  );
  expect(() => readComposeFile(levels.join("\n"))).toThrow(expect.objectContaining({ code: "invalid-task" }));
});
