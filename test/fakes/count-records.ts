/** Counts up a shared record `argv[3]` times and claims as many others. Run by a test, several at once. */
import { openRecordStore } from "@tracemill/local/record-store.ts";

const [file = "", times = "0", name = ""] = process.argv.slice(2);
const store = openRecordStore(file);
const key = { pk: "counter", sk: "n" };
for (let done = 0; done < Number(times); ) {
  const found = await store.get(key);
  const condition = found === undefined ? "absent" : { version: found.version };
  if ((await store.put(key, Number(found?.data ?? 0) + 1, condition)) === undefined) continue;
  await store.put({ pk: "claims", sk: `claim ${done}` }, name, "absent");
  done += 1;
}
store.close();
