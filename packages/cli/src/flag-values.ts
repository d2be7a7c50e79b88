import { InvalidArgumentError } from "commander";

/** A flag's value as a whole number of at least `least`. @throws InvalidArgumentError, which the user sees. */
export function atLeast(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value) && value >= least) return value;
    throw new InvalidArgumentError(`It wants a whole number of at least ${least}.`);
  };
}
