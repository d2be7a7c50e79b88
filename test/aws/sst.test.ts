import { describe, expect, test } from "vitest";
import { startPeer } from "../emulators/peer/start.ts";
import { missing } from "./cloud.ts";
import { sstDeploy } from "./deploy.ts";

describe.skipIf(missing !== undefined)(`the front door${missing ? ` (${missing})` : ""}`, () => {
  test("`sst deploy` makes the same stage as plain CDK", async () => {
    const peer = await startPeer();
    try {
      await sstDeploy(peer);
      const entries = await peer.control.inventory("ci-tracemill-pipeline");
      expect(entries.length).toBeGreaterThan(90);
      expect(entries.filter(({ there }) => there === false)).toEqual([]);
    } finally {
      await peer.close();
    }
  });
});
