import { join } from "node:path";
import { openCaptureStore } from "@tracemill/local/capture-store.ts";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { systemClock } from "@tracemill/local/system-clock.ts";
import { memoryObjectStore } from "../fakes/memory-stores.ts";
import { tempDir } from "../fakes/temp-dir.ts";
import { captureStoreContract } from "./capture-store.ts";
import { objectCaptures } from "./object-captures.ts";

captureStoreContract("SQLite", async () => {
  const dir = await tempDir();
  const another = () => openCaptureStore(join(dir.path, "captures.sqlite"), { clock: systemClock });
  return { store: another(), another, close: () => dir[Symbol.asyncDispose]() };
});

captureStoreContract("objects in memory", async () => {
  return { ...objectCaptures(memoryObjectStore()), close: async () => {} };
});

captureStoreContract("objects in a directory", async () => {
  const dir = await tempDir();
  const objects = openObjectStore(join(dir.path, "objects"));
  return { ...objectCaptures(objects), close: () => dir[Symbol.asyncDispose]() };
});
