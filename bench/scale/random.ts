/** Numbers in [0, 1) that a seed gives again: mulberry32, after Tommy Ettinger's public-domain code. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Seconds until something that happens `perHour` times an hour; never when that is 0. */
export function secondsUntil(perHour: number, random: () => number): number {
  return perHour === 0 ? Number.POSITIVE_INFINITY : (-Math.log(1 - random()) * 3_600) / perHour;
}

/** A duration around `mean`: half of them within a quarter of it, a few three times as long (log-normal, sigma 0.4). */
export function durationAround(mean: number, random: () => number): number {
  const sigma = 0.4;
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return mean * Math.exp(sigma * normal - (sigma * sigma) / 2);
}
