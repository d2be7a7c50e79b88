import { expect, test } from "vitest";
import { fullStack } from "../../test/fakes.ts";
import { registeredImages } from "./missing-images.ts";

test("an environment is ready when its job definition is registered and its image is in the repository", async () => {
  const images = registeredImages(fullStack, {
    jobs: {
      definitions: async (names) => new Set(names.filter((name) => /-(both|definition)$/.test(name))),
    },
    images: {
      missing: async (repository, tags) => {
        expect(repository).toBe(fullStack.imageRepository);
        return tags.filter((tag) => !/^env-(both|image)$/.test(tag));
      },
    },
  });
  expect(await images.missing(["both", "definition", "image", "neither"])).toEqual([
    "definition",
    "image",
    "neither",
  ]);
});
