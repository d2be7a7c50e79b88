import { expect, test } from "vitest";
import { demoPrograms } from "./programs.ts";

test("a machine without a program that the demo uses is told which, before anything runs", () => {
  const check = demoPrograms("missing", (path) => !path.endsWith("/python3"));
  expect(check).toMatchObject({
    status: "missing",
    remedy: "install python3 with this system's package manager",
  });
  expect(demoPrograms("missing", () => true).status).toBe("ok");
});
