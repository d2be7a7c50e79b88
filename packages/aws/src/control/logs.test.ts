import { expect, test } from "vitest";
import { answering, awsFault } from "../../../../test/fakes/answering-client.ts";
import { fakeClock } from "../../../../test/fakes/clock.ts";
import { cloudwatchLogsClient } from "../clients/cloudwatch-logs.ts";
import { cloudwatchLogs } from "./logs.ts";

const options = { region: "us-east-1", credentials: { accessKeyId: "test", secretAccessKey: "test" } };

interface Event {
  timestamp: number;
  logStreamName: string;
  message: string;
  eventId: string;
}

interface Ask {
  logStreamNames?: string[];
  startTime: number;
}

/** CloudWatch with streams that are there; asking for another one fails the whole request, as AWS does. */
function group(there: Set<string>, events: Event[]) {
  const { client, asked } = answering(cloudwatchLogsClient(options), {
    FilterLogEvents: ({ logStreamNames, startTime }: Ask) => {
      if (logStreamNames?.some((name) => !there.has(name)))
        throw awsFault("ResourceNotFoundException", "The specified log stream does not exist.");
      const found = events.filter(
        ({ timestamp, logStreamName }) =>
          timestamp >= startTime && (logStreamNames?.includes(logStreamName) ?? true),
      );
      return { events: found.toSorted((a, b) => a.timestamp - b.timestamp) };
    },
  });
  return { logs: cloudwatchLogs(client, { clock: fakeClock() }), asked };
}

const line = (timestamp: number, logStreamName: string): Event => ({
  timestamp,
  logStreamName,
  message: `${logStreamName} at ${timestamp}\n`,
  eventId: `${logStreamName}-${timestamp}`,
});

test("streams that are there are merged by time, although others among them are not there yet", async () => {
  const events = [line(1, "a"), line(4, "a"), line(2, "c"), line(3, "d"), line(5, "c")];
  const { logs } = group(new Set(["a", "c", "d"]), events);
  const read = logs.read({ group: "g", streams: ["a", "b", "c", "d", "e"], since: 0 });
  expect((await Array.fromAsync(read)).map(({ message }) => message)).toEqual([
    "a at 1",
    "c at 2",
    "d at 3",
    "a at 4",
    "c at 5",
  ]);
});

test("following gives each line once, late ones and those of new streams too", async () => {
  const there = new Set(["a"]);
  const events = [line(1_000, "a"), line(2_000, "a")];
  const { logs } = group(there, events);
  const stop = new AbortController();
  const seen: string[] = [];
  let looks = 0;
  const streams = async () => {
    looks += 1;
    if (looks === 2) {
      there.add("b");
      // Written before what was read already, and shown after it.
      events.push(line(1_500, "a"), line(2_500, "b"));
    }
    if (looks === 4) stop.abort();
    return [...there];
  };
  for await (const { message } of logs.follow({ group: "g", streams, since: 0 }, { signal: stop.signal }))
    seen.push(message);
  expect(seen).toEqual(["a at 1000", "a at 2000", "a at 1500", "b at 2500"]);
});

test("a group that is not there is an error that names it", async () => {
  const { client } = answering(cloudwatchLogsClient(options), {
    FilterLogEvents: () => {
      throw awsFault("ResourceNotFoundException", "The specified log group does not exist.");
    },
  });
  const logs = cloudwatchLogs(client, { clock: fakeClock() });
  await expect(
    Array.fromAsync(logs.read({ group: "/tracemill/x", streams: ["a"], since: 0 })),
  ).rejects.toThrow("/tracemill/x: no such log group");
});
