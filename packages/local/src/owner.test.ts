import { spawn } from "node:child_process";
import { once } from "node:events";
import { describe, expect, test } from "vitest";
import { processOwner } from "./owner.ts";

const own = processOwner(Date.parse("2026-01-01T00:00:00Z"));

/** This process's id with some of its parts changed: host, boot, pid space, pid, start time, serial. */
function idWith(parts: Record<number, string>): string {
  return own.id
    .split("/")
    .map((part, index) => parts[index] ?? part)
    .join("/");
}

describe("an owner of leases", () => {
  test("has an id of its own each time, and is not gone while it runs", () => {
    expect(processOwner(Date.now()).id).not.toBe(own.id);
    expect(processOwner(Date.now()).isGone(own.id)).toBe(false);
  });

  test("is gone when its process has ended, also when that is not buried yet", async () => {
    const child = spawn(process.execPath, ["-e", ""]);
    const gone = idWith({ 3: String(child.pid), 4: "1" });
    await once(child, "exit");
    expect(own.isGone(gone)).toBe(true);
  });

  test.each([
    ["its pid was given to somebody else", { 4: "12345" }, true],
    ["the machine was started again", { 1: "another-boot" }, true],
    ["it is on another machine", { 0: "elsewhere", 3: "999999999" }, false],
    ["it counts pids in another container", { 2: "4026530000", 3: "999999999" }, false],
  ])("is known for certain to be gone or not when %s", (_when, parts, gone) => {
    expect(own.isGone(idWith(parts))).toBe(gone);
  });

  test.each(["", "me", "a/b/c", "dead"])("of a form that is not ours (%j) is never taken for gone", (id) => {
    expect(own.isGone(id)).toBe(false);
  });
});
