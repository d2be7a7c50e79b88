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
