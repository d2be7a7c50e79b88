import { defineConfig } from "vitest/config";

const dockerSuites = ["test/contract/sandbox-docker*.test.ts"];

export default defineConfig({
  test: {
    testTimeout: 60_000,
    // Much of the time is waiting: for engines, emulators and time-outs.
    maxWorkers: 2,
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: { name: "ports", include: ["test/contract/**/*.test.ts"], exclude: dockerSuites },
      },
      {
        extends: true,
        test: {
          name: "docker",
          include: dockerSuites,
          // One engine for all of them, found or started.
          globalSetup: ["test/emulators/docker-setup.ts"],
        },
      },
    ],
  },
});
