import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    testTimeout: 120_000,
    hookTimeout: 240_000,
    fileParallelism: false,
    projects: [
      { extends: true, test: { name: "peer", include: ["test/emulators/peer/**/*.test.ts"] } },
      {
        extends: true,
        test: {
          name: "deployed",
          include: ["test/aws/**/*.test.ts"],
          // One emulated cloud with the stage deployed once, for all files.
          globalSetup: ["test/aws/global-setup.ts"],
        },
      },
    ],
  },
});
