import { TracemillError } from "@tracemill/core/errors.ts";
import { expect, test } from "vitest";
import { diskError } from "./disk.ts";

const failure = (code: string): Error => Object.assign(new Error(`${code}: something, write`), { code });

test.each([
  ["ENOSPC", "storage-full", "free some space"],
  ["EDQUOT", "storage-full", "quota"],
  ["EACCES", "storage-failed", "no permission"],
  ["EROFS", "storage-failed", "read-only"],
  ["ENAMETOOLONG", "invalid-input", "shorter"],
  ["EIO", "storage-failed", "EIO: something"],
])("%s becomes %s, with the path and what to do", (errno, code, remedy) => {
  const error = diskError(failure(errno), "/data/file");
  expect(error).toMatchObject({ code, retryable: false });
  expect(error.message).toMatch(/^\/data\/file: /);
  expect(error.message).toContain(remedy);
});

test("an error that already names its remedy passes unchanged", () => {
  const error = new TracemillError("conflict", "said before");
  expect(diskError(error, "/data")).toBe(error);
});
