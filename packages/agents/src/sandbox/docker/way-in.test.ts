import Docker from "dockerode";
import { expect, test } from "vitest";
import { ownEngineMissing } from "./way-in.ts";

const isRoot = process.platform === "linux" && process.geteuid?.() === 0;

test.skipIf(!isRoot)("an engine at a socket of this machine is our own, the usual one too", () => {
  expect(ownEngineMissing(new Docker({ socketPath: "/run/some.sock" }))).toBeUndefined();
  // Whatever DOCKER_HOST says here: this is what a client has that was told nothing.
  const usual = { modem: { socketPath: () => Promise.resolve("/var/run/docker.sock") } } as unknown as Docker;
  expect(ownEngineMissing(usual)).toBeUndefined();
});

test.skipIf(!isRoot)("an engine that is reached over the network is not", () => {
  const remote = new Docker({ host: "10.0.0.1", port: 2375 });
  expect(ownEngineMissing(remote)).toMatch(/over the network/);
});
