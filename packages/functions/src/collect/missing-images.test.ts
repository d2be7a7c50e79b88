import { expect, test } from "vitest";
import { fullStack } from "../../test/fakes.ts";
import { registeredImages } from "./missing-images.ts";

const tags = (of: number) => ({ "tracemill:base-revision": String(of) });

test("an environment is ready when its definition is of the deployed base and its image is in the repository", async () => {
  const images = registeredImages(fullStack, {
    jobs: {
      definitions: async (names) =>
        new Map(
          names.flatMap((name) => {
            if (name.endsWith("-base")) return [[name, { revision: 3, tags: {} }]];
            if (name.endsWith("-stale")) return [[name, { revision: 1, tags: tags(2) }]];
            return /-(both|definition)$/.test(name) ? [[name, { revision: 1, tags: tags(3) }]] : [];
          }),
        ),
    },
    images: {
      missing: async (repository, tags) => {
        expect(repository).toBe(fullStack.imageRepository);
        return tags.filter((tag) => !/^env-(both|image|stale)$/.test(tag));
      },
    },
  });
  expect(await images.missing(["both", "definition", "image", "stale", "neither"])).toEqual([
    "definition",
    "image",
    "stale",
    "neither",
  ]);
});
