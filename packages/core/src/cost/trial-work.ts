/**
 * What one attempt asks of the stores, counted from what the code does: `trial-work.test.ts` runs real trials on
 * counting stores and holds these figures against them.
 */
import type { Shard } from "../run/plan.ts";

/** Trials of one sort: what they ask of the stores follows from these. */
export interface TrialSort {
  sandboxed: Shard["sandboxed"];
  /** What gives the reward. */
  decidedBy: "tests" | "answer" | "claim" | "none";
  /** Whether the agent talks to a model: its exchanges are kept. */
  exchanges: boolean;
  /** Whether a recorded solution is played. */
  reference: boolean;
}

/** Requests to the stores. A read unit is up to 4 KB, a write unit up to 1 KB. */
export interface StoreCalls {
  objectPuts: number;
  objectGets: number;
  rowReads: number;
  rowWrites: number;
  /** KB of the larger of the old and the new row, rounded up, for each write. */
  writeUnits: number;
  /** Writes that the table's indexes add: none for trials, which are in neither of them. */
  indexUnits: number;
}

/**
 * What a shard's job asks for beside its trials: the shard, twice, and its row at the beginning and the end. Each
 * minute between adds a read and a write of the row. Tasks' archives are counted apart, one get for each task.
 */
export const perJobCalls: StoreCalls = {
  objectPuts: 0,
  objectGets: 2,
  rowReads: 2,
  rowWrites: 2,
  writeUnits: 2,
  indexUnits: 0,
};

/** The run's spec, which a job reads before it begins. */
export const specGets = 1;

/** The trace job's part: look how the trial stands, read and claim the row, run the agent, store what it left, write the row. */
export function traceCalls({ sandboxed, exchanges, reference }: TrialSort): StoreCalls {
  return {
    // The trajectory always; a workspace that the agent did not change is not stored.
    objectPuts: 1 + Number(exchanges) + Number(sandboxed.trace),
    objectGets: Number(reference),
    rowReads: 2,
    rowWrites: 2,
    // The traced row, with its objects' keys, is above 1 KB as text; the store compresses it.
    writeUnits: 2,
    indexUnits: 0,
  };
}

/** The evaluate job's part: look how the trial stands, read and claim the row, judge, store the result, write the row. */
export function evaluateCalls({ sandboxed, decidedBy, reference }: TrialSort): StoreCalls {
  const judged = decidedBy === "tests" || decidedBy === "answer" || decidedBy === "none";
  const workspace = Number(sandboxed.evaluate && sandboxed.trace);
  return {
    objectPuts: 1,
    // A played solution's trajectory is read for its replay report; whether an answer is right stands in the row.
    objectGets: workspace + Number(judged && reference),
    rowReads: 2,
    rowWrites: 2,
    writeUnits: 2,
    indexUnits: 0,
  };
}

/** A heartbeat writes the row as it stands. */
export const heartbeatUnits = 1;

/** The results table and, where there is one, the dataset: what they read for each ended trial. */
export const exportCalls = {
  /** The results table reads each row. */
  resultsRowReads: 1,
  /** The dataset reads the rows by a query: units of 4 KB, some seven rows each. */
  datasetReadUnits: 0.15,
  /** Its `result.json`. */
  datasetGets: 1,
  /** Its trajectory, for every format but the table of trials. */
  trainingGets: 1,
} as const;

/** A trial's rows are kept. Bytes of an ended trial's row, index entries and keys with it. */
export const endedRowBytes = 600;
