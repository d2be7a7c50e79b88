import { join } from "node:path";
import { openObjectStore } from "@tracemill/local/object-store.ts";
import { openRecordStore } from "@tracemill/local/record-store.ts";
import { memoryObjectStore, memoryRecordStore } from "../fakes/memory-stores.ts";
import { tempDir } from "../fakes/temp-dir.ts";
import { objectStoreContract } from "./object-store.ts";
import { recordStoreContract } from "./record-store.ts";

objectStoreContract("a directory", async () => {
  const dir = await tempDir();
  return { store: openObjectStore(join(dir.path, "objects")), close: () => dir[Symbol.asyncDispose]() };
});

objectStoreContract("memory", async () => ({ store: memoryObjectStore(), close: async () => {} }));

recordStoreContract("SQLite", async () => {
  const dir = await tempDir();
  const store = openRecordStore(join(dir.path, "records.sqlite"));
  return {
    store,
    close: async () => {
      store.close();
      await dir[Symbol.asyncDispose]();
    },
  };
});

recordStoreContract("memory", async () => ({ store: memoryRecordStore(), close: async () => {} }));
