import { type ErrorCode, TracemillError } from "@tracemill/core/errors.ts";

/** What an errno means to the user, and what to do about it. */
const meanings: Record<string, { code: ErrorCode; what: string; retryable?: boolean }> = {
  ENOSPC: {
    code: "storage-full",
    what: "the disk is full; free some space, then run the same command again",
  },
  EDQUOT: {
    code: "storage-full",
    what: "your disk quota is used up; free some space, then run the same command again",
  },
  EFBIG: {
    code: "storage-full",
    what: "the file would be larger than this disk or user may have; raise the limit",
  },
  EACCES: { code: "storage-failed", what: "no permission; change the owner or mode, or choose another home" },
  EPERM: { code: "storage-failed", what: "not permitted here; choose a home on another disk" },
  EROFS: { code: "storage-failed", what: "this file system is read-only; choose a home on another disk" },
  ENOTSUP: {
    code: "storage-failed",
    what: "this file system lacks hard links; choose a home on another disk",
  },
  EMLINK: {
    code: "storage-failed",
    what: "this file system lacks hard links; choose a home on another disk",
  },
  EMFILE: { code: "storage-failed", what: "too many open files; raise `ulimit -n`", retryable: true },
  ENFILE: { code: "storage-failed", what: "the machine has too many open files", retryable: true },
  ENAMETOOLONG: {
    code: "invalid-input",
    what: "the path is too long for this file system; use a shorter key or home",
  },
};

export function hasErrno(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? "");
}

/** Names the path and the remedy of a failed file operation; errors that say so already pass unchanged. */
export function diskError(error: unknown, path: string): TracemillError {
  if (error instanceof TracemillError) return error;
  const { code = "", message = String(error) } = error as NodeJS.ErrnoException;
  const meaning = meanings[code];
  if (meaning === undefined) {
    return new TracemillError("storage-failed", `${path}: ${message}`, { cause: error });
  }
  return new TracemillError(meaning.code, `${path}: ${meaning.what} (${code})`, {
    cause: error,
    retryable: meaning.retryable ?? false,
  });
}

/** Runs a file operation; its failure becomes an error that names `path`. */
export function onDisk<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw diskError(error, path);
  }
}

/** Like `onDisk`, for operations that take their time. */
export async function onDiskAsync<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskError(error, path);
  }
}
