export async function benchSandbox(): Promise<void> {}
