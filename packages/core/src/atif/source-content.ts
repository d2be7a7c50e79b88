import type { Content, ContentPart } from "./trajectory.ts";

/** Content of a recorded message or tool output, as ATIF has it. */
export interface SourceContent {
  /** Plain text where all parts are text (joined by a line end), else parts. */
  content: Content;
  /** `unconverted`: parts that ATIF has no place for, as they came; `refusal`: the model refused. */
  extra: Record<string, unknown>;
}

type Fields = Readonly<Record<string, unknown>>;
type Converted = { part: ContentPart; refusal?: true } | { unconverted: unknown };

const IMAGE_TYPES = ["image/png", "image/jpeg", "image/gif", "image/webp"] as const;
type ImageType = (typeof IMAGE_TYPES)[number];

/** Converts a string or a list of parts in OpenAI chat or Responses form; anything else is kept as JSON text. */
export function sourceContent(raw: unknown): SourceContent {
  if (raw === null || raw === undefined) return { content: "", extra: {} };
  if (typeof raw === "string") return { content: raw, extra: {} };
  if (!Array.isArray(raw)) return { content: JSON.stringify(raw), extra: {} };
  const converted = raw.map(convertPart);
  const parts = converted.flatMap((item) => ("part" in item ? [item.part] : []));
  const unconverted = converted.flatMap((item) => ("unconverted" in item ? [item.unconverted] : []));
  const isRefusal = converted.some((item) => "refusal" in item);
  return {
    content: joined(parts),
    extra: {
      ...(unconverted.length > 0 && { unconverted }),
      ...(isRefusal && { refusal: true }),
    },
  };
}

/** One content from several: text joined by `separator`, unless there is an image or a sound among them. */
export function joined(contents: readonly (string | ContentPart)[], separator = "\n"): Content {
  const parts = contents.map((item) => (typeof item === "string" ? textPart(item) : item));
  const texts = parts.flatMap((part) => (part.type === "text" ? [part.text] : []));
  return texts.length === parts.length ? texts.join(separator) : parts;
}

function textPart(text: string): ContentPart {
  return { type: "text", text };
}

function convertPart(raw: unknown): Converted {
  if (typeof raw === "string") return { part: textPart(raw) };
  if (!isFields(raw)) return { unconverted: raw };
  if (typeof raw.refusal === "string") return { part: textPart(raw.refusal), refusal: true };
  if (typeof raw.text === "string") return { part: textPart(raw.text) };
  const image = isFields(raw.image_url) ? raw.image_url.url : raw.image_url;
  const type = typeof image === "string" ? imageType(image) : undefined;
  if (typeof image !== "string" || type === undefined) return { unconverted: raw };
  return { part: { type: "image", source: { media_type: type, path: image } } };
}

/** The type that a data URL or a reference to an artifact states, or a file name shows. */
function imageType(url: string): ImageType | undefined {
  const stated = /^(?:data:|artifact:[0-9a-f]{64};)([^;,]+)/.exec(url)?.[1]?.toLowerCase();
  const ending = /\.(png|jpe?g|gif|webp)(?:[?#].*)?$/i.exec(url)?.[1]?.toLowerCase().replace("jpg", "jpeg");
  return IMAGE_TYPES.find((type) => type === (stated ?? `image/${ending}`));
}

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
