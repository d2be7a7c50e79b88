/**
 * The chance that at least one of k samples is right, by n samples of which c were: 1 - C(n-c, k) / C(n, k), in the
 * product form of Chen et al. (https://arxiv.org/abs/2107.03374), as Harbor computes it.
 */
export function passAtK(n: number, c: number, k: number): number {
  if (n - c < k) return 1;
  let allWrong = 1;
  for (let index = 0; index < k; index += 1) allWrong *= (n - c - index) / (n - index);
  return 1 - allWrong;
}

/** The k above 1 that Harbor reports for n samples: powers of two and multiples of five, up to n. */
export function eligibleK(n: number): number[] {
  const found = new Set<number>();
  for (let k = 2; k <= n; k *= 2) found.add(k);
  for (let k = 5; k <= n; k += 5) found.add(k);
  return [...found].sort((a, b) => a - b);
}
