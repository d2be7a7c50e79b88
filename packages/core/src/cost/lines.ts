/** One line of an estimate. */
export interface CostLine {
  /** `control`: what moves the work. `compute`: what does it. `models`: calls to models behind an API. */
  group: "control" | "compute" | "models" | "storage";
  service: string;
  what: string;
  quantity: number;
  unit: string;
  /** US dollars; for `storage` a month. Absent when no price is known. */
  usd?: number;
}

export function totalOf(lines: readonly CostLine[], group: CostLine["group"]): number {
  return lines.reduce((sum, line) => sum + (line.group === group ? (line.usd ?? 0) : 0), 0);
}

/** Lines that say the same are one, in the order of their first. */
export function merged(lines: readonly CostLine[]): CostLine[] {
  const byName = new Map<string, CostLine>();
  for (const line of lines) {
    const key = JSON.stringify([line.group, line.service, line.what, line.unit]);
    const first = byName.get(key);
    byName.set(key, first === undefined ? line : sumOf(first, line));
  }
  return [...byName.values()];
}

function sumOf(a: CostLine, b: CostLine): CostLine {
  const quantity = a.quantity + b.quantity;
  if (a.usd === undefined || b.usd === undefined) return { ...a, quantity };
  return { ...a, quantity, usd: a.usd + b.usd };
}
