import { TracemillError } from "@tracemill/core/errors.ts";
import { InvalidArgumentError } from "commander";

/** A flag's value as a whole number of at least `least`. @throws InvalidArgumentError, which the user sees. */
export function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It wants a whole number of at least ${least}.`);
  };
}

/** `--split train=0.8`, one more to those before it. @throws InvalidArgumentError; TracemillError `invalid-spec`. */
export function addSplit(value: string, earlier: Record<string, number> | undefined): Record<string, number> {
  const [, name = "", share = ""] = /^([a-z]+)=(\d*\.?\d+)$/.exec(value) ?? [];
  if (name === "") throw new InvalidArgumentError("give a name and a share, for example train=0.8.");
  if (earlier !== undefined && name in earlier) {
    throw new TracemillError("invalid-spec", `--split ${name} is given twice; give each split once`);
  }
  return { ...earlier, [name]: Number(share) };
}
