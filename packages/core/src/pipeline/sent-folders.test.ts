import { expect, test } from "vitest";
import { memoryObjectStore } from "../../../../test/fakes/memory-stores.ts";
import { answerTask } from "../../../../test/fakes/trial-world.ts";
import type { TaskFolder } from "./deps.ts";
import { sendFolders, sentFolders } from "./sent-folders.ts";

test("the folders that a run was sent with are found by their place, with the files they had", async () => {
  const objects = memoryObjectStore();
  const folder = { path: "tasks/answer", files: [...answerTask.files] };
  const taskFolders = async function* (place: string): AsyncGenerator<TaskFolder> {
    yield { ...folder, path: `${place}/answer` };
  };
  const spec = { tasks: ["tasks", "snapshot:prod", "more"] };
  expect(await sendFolders("run_1", spec, { objects, taskFolders })).toEqual({ folders: 2 });
  const found = sentFolders("run_1", objects);
  const [first, ...rest] = await Array.fromAsync(found("more"));
  expect(rest).toEqual([]);
  expect(first?.path).toBe("more/answer");
  const text = (files: TaskFolder["files"]) =>
    files.map(({ path, content }) => [path, Buffer.from(content).toString()]).toSorted();
  expect(text(first?.files ?? [])).toEqual(text(folder.files));
});

test("a run that was sent with no folders says so", async () => {
  const found = sentFolders("run_1", memoryObjectStore());
  await expect(Array.fromAsync(found("tasks"))).rejects.toMatchObject({ code: "not-found" });
});
