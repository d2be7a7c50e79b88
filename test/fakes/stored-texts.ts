import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import type { PlantedSecret } from "./planted-secrets.ts";

/** A file below a folder, as what stands in it: decompressed, and of databases and Parquet every row. */
export interface StoredText {
  path: string;
  text: string;
}

/** All that was written below a folder. */
export async function storedTexts(root: string): Promise<StoredText[]> {
  const texts: StoredText[] = [];
  for (const entry of await readdir(root, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(root.length + 1);
    texts.push({ path: `name of ${path}`, text: path }, { path, text: await textOf(file) });
  }
  return texts;
}

const zstdMagic = "28b52ffd";
const gzipMagic = "1f8b";

async function textOf(file: string): Promise<string> {
  if (file.endsWith(".sqlite")) return rowsOf(file);
  if (file.endsWith(".parquet")) return parquetRows(file);
  const data = await readFile(file);
  const magic = data.subarray(0, 4).toString("hex");
  if (magic === zstdMagic) return zstdDecompressSync(data).toString("latin1");
  if (magic.startsWith(gzipMagic)) return gunzipSync(data).toString("latin1");
  return data.toString("latin1");
}

function rowsOf(file: string): string {
  using database = new DatabaseSync(file, { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  const rows = tables.flatMap(({ name }) => database.prepare(`SELECT * FROM "${name}"`).all());
  return rows.flatMap((row) => Object.values(row).map(cellText)).join("\n");
}

function cellText(value: unknown): string {
  if (!(value instanceof Uint8Array)) return String(value);
  const data = Buffer.from(value);
  const isZstd = data.subarray(0, 4).toString("hex") === zstdMagic;
  return (isZstd ? zstdDecompressSync(data) : data).toString("latin1");
}

async function parquetRows(file: string): Promise<string> {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  try {
    const reader = await connection.runAndReadAll(`SELECT * FROM '${file}'`);
    return JSON.stringify(reader.getRowObjectsJson());
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

/** Which planted secrets stand in a text: as they are, or in base64 at any offset. */
export function secretsIn(text: string, planted: readonly PlantedSecret[]): PlantedSecret[] {
  return planted.filter(({ value }) => formsOf(value).some((form) => text.includes(form)));
}

function formsOf(value: string): string[] {
  const encoded = [0, 1, 2].map((offset) =>
    // Without the ends, whose characters other bytes share.
    Buffer.from(`${"\0".repeat(offset)}${value}`)
      .toString("base64")
      .slice(4, -4),
  );
  return [value, encodeURIComponent(value), ...encoded];
}
